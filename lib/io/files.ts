/**
 * Files that must not be half-written: identity, trust, configuration.
 */

import { dirname } from "node:path";

/** How `writeAtomically` writes. */
export interface WriteOptions {
  /** Permission bits of the file, 0o600 by default: nobody but the owner reads it. */
  readonly mode?: number;
}

/**
 * Replaces a file as a whole: after a crash or power cut at any moment it holds either the old or the new content.
 *
 * Writes a sibling, flushes it, renames it over `path` and flushes the directory. Missing directories are created
 * with mode 0700. Rejects with the error of the operating system and leaves the old file alone.
 */
export async function writeAtomically(
  path: string,
  data: Uint8Array | string,
  options: WriteOptions = {},
): Promise<void> {
  const mode = options.mode ?? 0o600;
  const directory = dirname(path);
  await makePrivateDirectory(directory);
  const scratch = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    await writeNew(scratch, typeof data === "string" ? new TextEncoder().encode(data) : data, mode);
    await Deno.rename(scratch, path);
  } catch (error) {
    await Deno.remove(scratch).catch(() => {});
    throw error;
  }
  await flushDirectory(directory);
}

/** The content of a file, `undefined` when there is none. Other errors of the operating system reject. */
export async function readIfExists(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** As `readIfExists`, as UTF-8 text. Malformed sequences become U+FFFD. */
export async function readTextIfExists(path: string): Promise<string | undefined> {
  const bytes = await readIfExists(path);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** Creates a directory and its parents with mode 0700 where missing. Existing ones keep their mode. */
export async function makePrivateDirectory(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
}

/** Writes and flushes a file that must not exist yet. Rejects with `AlreadyExists` when it does. */
export async function writeNew(path: string, data: Uint8Array, mode = 0o600): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  for (let written = 0; written < data.length;) written += await file.write(data.subarray(written));
  // The mode of `open` is cut by the umask, which may not widen it but may narrow what the caller asked for.
  if (Deno.build.os !== "windows") await Deno.chmod(path, mode);
  await file.sync();
}

/** A rename is durable only once its directory is. File systems that cannot flush one are left to themselves. */
export async function flushDirectory(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  try {
    using directory = await Deno.open(path, { read: true });
    await directory.sync();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotSupported || error instanceof Deno.errors.InvalidData)) throw error;
  }
}
