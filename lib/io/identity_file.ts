/**
 * The identity of a node on disk. Losing it loses the node's address and the trust of its peers, so it is created at
 * most once, never overwritten, and there as a whole or not at all.
 */

import { dirname } from "node:path";
import { decodeIdentity, encodeIdentity, generateIdentity, type Identity } from "../crypto/identity.ts";
import type { RandomSource } from "../crypto/random.ts";
import { encodeUtf8 } from "../wire/bytes.ts";
import { PilotError } from "../wire/error.ts";
import { flushDirectory, readTextIfExists, writeNew } from "./files.ts";

/**
 * The identity in the file `path`; a new one is made and saved when there is no such file. Of several processes that
 * do so at once one wins, and all return its identity. The file gets mode 0600, missing directories 0700.
 *
 * @throws PilotError `corrupt_file` when the file holds no valid identity, `unavailable` when the operating system
 *   refuses to read or write it; the file is left alone in both cases
 */
export async function loadOrCreateIdentity(path: string, random: RandomSource): Promise<Identity> {
  try {
    return await load(path) ?? await create(path, random);
  } catch (error) {
    if (error instanceof PilotError) throw error;
    throw new PilotError("unavailable", `cannot read or create the identity file ${path}: ${reason(error)}`, {
      hint: "check that you own the file and its directory, and that the disk is not full",
      cause: error,
    });
  }
}

/** The identity in the file, `undefined` when there is no file. */
async function load(path: string): Promise<Identity | undefined> {
  const text = await readTextIfExists(path);
  if (text === undefined) return undefined;
  const identity = decodeIdentity(text);
  if (!("invalid" in identity)) return identity;
  throw new PilotError("corrupt_file", `the identity file ${path} cannot be used: ${identity.invalid}`, {
    hint:
      "restore it from a backup; or move it away to get a new identity, which peers will have to trust anew",
  });
}

async function create(path: string, random: RandomSource): Promise<Identity> {
  const identity = generateIdentity(random);
  await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  if (await createFile(path, encodeUtf8(encodeIdentity(identity)))) return identity;
  const winner = await load(path);
  if (winner !== undefined) return winner;
  throw new PilotError("invalid_state", `the identity file ${path} is a link to a file that does not exist`, {
    hint: "remove the link or create what it points to",
  });
}

/** Makes a complete file appear under `path`; `false`, without a change, when something is there already. */
async function createFile(path: string, data: Uint8Array): Promise<boolean> {
  const scratch = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    await writeNew(scratch, data);
    // A link fails where a rename would replace what another process has just created.
    const created = await succeedsUnlessPresent(() => Deno.link(scratch, path));
    if (created) await flushDirectory(dirname(path));
    return created;
  } catch (error) {
    if (!isWithoutLinks(error)) throw error;
    // File systems without hard links: exclusive, but a crash while writing leaves a file that is then reported.
    return await succeedsUnlessPresent(() => writeNew(path, data));
  } finally {
    await Deno.remove(scratch).catch(() => {});
  }
}

async function succeedsUnlessPresent(action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

function isWithoutLinks(error: unknown): boolean {
  if (error instanceof Deno.errors.NotSupported) return true;
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EPERM" || code === "ENOTSUP" || code === "EOPNOTSUPP" || code === "ENOSYS" ||
    code === "EMLINK";
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
