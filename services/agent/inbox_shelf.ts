/**
 * A folder of delivered things with a quota: writes are exclusive and atomic, the oldest make room for the new.
 */

import { join } from "node:path";
import { flushDirectory, writeNew } from "../../lib/io/files.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { compareText, isTemporaryName, temporaryName } from "./inbox_names.ts";

/** A temporary file this old was left by a crash, in milliseconds. */
const STALE_TEMPORARY_MS = 10 * 60_000;
/** Names tried before giving up: arrivals within one millisecond. */
const MAX_COUNTER = 99_999;
/** When the quota is reached, the folder is read again if the last look is older, in milliseconds. */
const RESCAN_MS = 30_000;

/** What a folder may hold. */
export interface ShelfLimits {
  readonly bytes: number;
  readonly files: number;
}

interface Entry {
  readonly name: string;
  readonly bytes: number;
  readonly modified: number;
}

/** One folder. Writes are done one after the other. */
export class Shelf {
  readonly directory: string;
  readonly #limits: ShelfLimits;
  readonly #isOwn: (name: string) => boolean;
  #entries: Entry[] = [];
  #bytes = 0;
  #scannedAt: number | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  /** `isOwn` tells which files the quota may count and evict; all others are left alone. */
  constructor(directory: string, options: { limits: ShelfLimits; isOwn: (name: string) => boolean }) {
    this.directory = directory;
    this.#limits = options.limits;
    this.#isOwn = options.isOwn;
  }

  /**
   * Writes the bytes under the first free name of `nameOf(0)`, `nameOf(1)`, ... and returns the name.
   *
   * `encode` is called when it is this write's turn, so that encoded copies do not pile up in memory.
   * A reader sees the whole file or none, also after a power failure. Mode 0600, folder 0700.
   * @throws PilotError `too_large` with the text `quota` when the data alone exceed the quota
   * @throws Deno's file errors
   */
  put(encode: () => Uint8Array, nameOf: (counter: number) => string): Promise<string> {
    const result = this.#queue.then(() => this.#put(encode(), nameOf));
    this.#queue = result.catch(() => {});
    return result;
  }

  async #put(data: Uint8Array, nameOf: (counter: number) => string): Promise<string> {
    if (data.length > this.#limits.bytes || this.#limits.files < 1) {
      throw new PilotError("too_large", "quota");
    }
    await this.#prepare();
    await this.#makeRoom(data.length);
    const name = await writeExclusively(this.directory, data, nameOf);
    this.#entries.push({ name, bytes: data.length, modified: Date.now() });
    this.#bytes += data.length;
    return name;
  }

  async #prepare(): Promise<void> {
    await Deno.mkdir(this.directory, { recursive: true, mode: 0o700 });
    if (this.#scannedAt !== undefined) return;
    if (Deno.build.os !== "windows") await Deno.chmod(this.directory, 0o700);
    await this.#scan();
  }

  async #makeRoom(bytes: number): Promise<void> {
    if (this.#fits(bytes)) return;
    if (Date.now() - (this.#scannedAt ?? 0) > RESCAN_MS) await this.#scan();
    let evicted = 0;
    for (const entry of this.#entries) {
      if (this.#fits(bytes, evicted)) break;
      await removeIfExists(join(this.directory, entry.name));
      this.#bytes -= entry.bytes;
      evicted++;
    }
    this.#entries.splice(0, evicted);
  }

  #fits(bytes: number, gone = 0): boolean {
    return this.#bytes + bytes <= this.#limits.bytes && this.#entries.length - gone < this.#limits.files;
  }

  async #scan(): Promise<void> {
    const entries: Entry[] = [];
    for await (const { name, isFile } of Deno.readDir(this.directory)) {
      if (!isFile) continue;
      const temporary = isTemporaryName(name);
      if (!temporary && !this.#isOwn(name)) continue;
      const info = await statIfExists(join(this.directory, name));
      if (info === undefined) continue;
      const modified = info.mtime?.getTime() ?? 0;
      if (!temporary) entries.push({ name, bytes: info.size, modified });
      else if (Date.now() - modified > STALE_TEMPORARY_MS) await removeIfExists(join(this.directory, name));
    }
    this.#entries = entries.sort((a, b) => a.modified - b.modified || compareText(a.name, b.name));
    this.#bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    this.#scannedAt = Date.now();
  }
}

async function writeExclusively(
  directory: string,
  data: Uint8Array,
  nameOf: (counter: number) => string,
): Promise<string> {
  const temporary = join(directory, temporaryName());
  try {
    await writeNew(temporary, data);
    for (let counter = 0; counter <= MAX_COUNTER; counter++) {
      const name = nameOf(counter);
      if (!(await placeExclusively(temporary, join(directory, name)))) continue;
      await flushDirectory(directory);
      return name;
    }
  } finally {
    await removeIfExists(temporary);
  }
  throw new PilotError("already_exists", "no free file name");
}

// A plain rename would replace an existing file. A second link fails instead; where the file system has no links,
// the name is reserved by an empty file first.
async function placeExclusively(temporary: string, path: string): Promise<boolean> {
  try {
    await Deno.link(temporary, path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
  }
  try {
    (await Deno.open(path, { write: true, createNew: true, mode: 0o600 })).close();
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
  await Deno.rename(temporary, path);
  return true;
}

async function statIfExists(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function removeIfExists(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
