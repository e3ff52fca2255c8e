/**
 * Keeps `trust.json` in step with the trust book.
 */

import { decodeTrustFile, encodeTrustFile, type TrustSnapshot } from "../../lib/core/trust.ts";
import { readTextIfExists, writeAtomically } from "../../lib/io/files.ts";
import type { Log } from "../../lib/io/log.ts";
import { PilotError } from "../../lib/wire/error.ts";

/** Changes within this time are saved together, milliseconds. */
const DEBOUNCE_MS = 50;

/** Reads the trust file; a missing one is empty trust. @throws PilotError `corrupt_file`, leaving the file alone */
export async function loadTrust(path: string): Promise<TrustSnapshot | undefined> {
  const text = await readTextIfExists(path);
  if (text === undefined) return undefined;
  const snapshot = decodeTrustFile(text);
  if (!("invalid" in snapshot)) return snapshot;
  throw new PilotError("corrupt_file", `the trust file ${path} cannot be used: ${snapshot.invalid}`, {
    hint: "restore it from a backup, or move it away and trust your peers anew",
  });
}

/** Writes the trust file after changes, one write at a time. */
export class TrustSaver {
  readonly #path: string;
  readonly #snapshot: () => TrustSnapshot;
  readonly #log: Log;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dirty = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, options: { readonly snapshot: () => TrustSnapshot; readonly log: Log }) {
    this.#path = path;
    this.#snapshot = options.snapshot;
    this.#log = options.log;
  }

  /** The book has changed: it is saved soon. */
  changed(): void {
    this.#dirty = true;
    this.#timer ??= setTimeout(() => void this.flush(), DEBOUNCE_MS);
  }

  /** Resolves when everything so far is on disk. A failed write is logged and tried again with the next change. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      await writeAtomically(this.#path, encodeTrustFile(this.#snapshot()), { mode: 0o600 });
    } catch (error) {
      this.#dirty = true;
      this.#log.error("trust not saved", { path: this.#path, error });
    }
  }
}
