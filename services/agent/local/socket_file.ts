/**
 * The file of the local socket: private from its first instant, never stolen from a living agent, never deleted
 * unless it is ours.
 */

import { PilotError } from "../../../lib/wire/error.ts";

/** A listening Unix socket and the removal of its file. */
export interface BoundSocket {
  readonly listener: Deno.UnixListener;
  /** Closes the listener and deletes the file if it is still the same. */
  close(): void;
}

/**
 * Binds `path` with mode 0600. The socket is made in a directory that only we may enter and then linked to its
 * place, which fails if somebody was faster.
 *
 * @throws PilotError `already_exists` when an agent answers there or something else lies there,
 * `connection_failed` when the place cannot be used
 */
export async function bindSocket(path: string): Promise<BoundSocket> {
  const stale = await isStale(path);
  const parent = path.slice(0, path.lastIndexOf("/") + 1);
  const room = `${parent}.p${crypto.randomUUID().slice(0, 6)}`;
  let listener: Deno.UnixListener | undefined;
  try {
    await Deno.mkdir(room, { mode: 0o700 });
    const made = `${room}/s`;
    listener = Deno.listen({ transport: "unix", path: made });
    await Deno.chmod(made, 0o600);
    const ours = await Deno.lstat(made);
    if (stale) await removeStale(path, parent);
    await Deno.link(made, path);
    const bound = listener;
    return { listener: bound, close: () => release(bound, path, ours) };
  } catch (error) {
    listener?.close();
    if (error instanceof PilotError) throw error;
    if (error instanceof Deno.errors.AlreadyExists) throw taken(path, error);
    throw new PilotError("connection_failed", `cannot create the socket ${path}: ${messageOf(error)}`, {
      hint: "choose another place with --socket",
      cause: error,
    });
  } finally {
    await Deno.remove(room, { recursive: true }).catch(() => {});
  }
}

/** Whether a dead socket lies at `path`; false when nothing does. */
async function isStale(path: string): Promise<boolean> {
  let found: Deno.FileInfo;
  try {
    found = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new PilotError("connection_failed", `cannot look at ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (found.isSocket !== true) {
    throw new PilotError("already_exists", `${path} is not a socket`, {
      hint: "move it away or choose another place with --socket",
    });
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return true;
    if (error instanceof Deno.errors.NotFound) return false;
    throw new PilotError("connection_failed", `cannot use the socket ${path}: ${messageOf(error)}`, {
      hint: "it may belong to another user: choose another place with --socket",
      cause: error,
    });
  }
  throw taken(path);
}

/**
 * Deletes the dead socket at `path`. Whoever wants that takes a lock first and then looks again: without it, two
 * agents that start together could each delete the fresh socket of the other. The lock dies with its process.
 */
async function removeStale(path: string, parent: string): Promise<void> {
  const lockPath = `${parent}.${path.slice(parent.length)}.lock`;
  using lock = await lockFile(lockPath);
  try {
    if (await isStale(path)) await Deno.remove(path);
  } finally {
    await Deno.remove(lockPath).catch(() => {});
    await lock.unlock();
  }
}

async function lockFile(path: string): Promise<Deno.FsFile> {
  for (;;) {
    const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
    try {
      await file.lock(true);
      // The one before us deletes the file: what we locked must still be what others find.
      const found = await Deno.lstat(path).catch(() => undefined);
      if (found !== undefined && sameFile(found, await file.stat())) return file;
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
  }
}

function release(listener: Deno.UnixListener, path: string, ours: Deno.FileInfo): void {
  try {
    listener.close();
  } catch {
    // Already closed by a failed accept.
  }
  try {
    if (sameFile(Deno.lstatSync(path), ours)) Deno.removeSync(path);
  } catch {
    // Gone already, or the directory is: nothing of ours is left.
  }
}

function sameFile(a: Deno.FileInfo, b: Deno.FileInfo): boolean {
  return a.ino !== null && a.ino === b.ino && a.dev === b.dev && a.mtime?.getTime() === b.mtime?.getTime();
}

function taken(path: string, cause?: unknown): PilotError {
  return new PilotError("already_exists", `an agent is already running at ${path}`, {
    hint: "stop it with: pilot agent stop, or give this one its own --home",
    cause,
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
