/**
 * What peers sent to this agent, as files in two folders of its home:
 *
 * ```text
 * inbox/     one JSON file per message
 * received/  the files, under the name they were sent with plus a time stamp
 * ```
 *
 * An inbox file is one compact JSON object with its keys in alphabetical order:
 * `{"authenticated":true,"bytes":5,"data":"hello","from":"0:0000.0000.0002","from_key":"...","id":"...",
 * "received_at":"2026-01-01T00:00:00Z","type":"TEXT"}`. Payloads that are not UTF-8 also appear unharmed as
 * `data_b64`, with `data_encoding` `base64`.
 */

import { decodeStrictUtf8, encodeBase64 } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import {
  isInboxName,
  isReceivedName,
  localRfc3339,
  localStamp,
  type MessageType,
  type NameParts,
  receivedNameParts,
  stampedName,
} from "./inbox_names.ts";
import { Shelf, type ShelfLimits } from "./inbox_shelf.ts";

export type { MessageType } from "./inbox_names.ts";
export * from "./inbox_reader.ts";

const MEBIBYTE = 1024 * 1024;

/** The two folders, as absolute paths. */
export interface InboxFolders {
  readonly inbox: string;
  readonly received: string;
}

/** What the two folders may hold before the oldest entries are evicted. */
export interface InboxLimits {
  readonly inbox: ShelfLimits;
  readonly received: ShelfLimits;
}

/** The limits that the public Pilot network uses. */
export const INBOX_LIMITS: InboxLimits = {
  inbox: { bytes: 256 * MEBIBYTE, files: 10_000 },
  received: { bytes: 2048 * MEBIBYTE, files: 100_000 },
};

/** Who sent something, as far as it is known. */
export interface Sender {
  /** Address in text form. */
  readonly from: string;
  /** The peer's pinned public key in base64. */
  readonly fromKey?: string;
  /** Whether the tunnel proved that the sender holds the key of its address. */
  readonly authenticated: boolean;
}

/** A message to store. */
export interface IncomingMessage extends Sender {
  readonly type: MessageType;
  readonly payload: Uint8Array;
}

/** Where something was stored. */
export interface Stored {
  readonly id: string;
  /** File name within its folder. */
  readonly name: string;
}

/** Stores messages and files of peers. */
export class Inbox {
  readonly #messages: Shelf;
  readonly #files: Shelf;
  readonly #unixMs: () => number;

  /** The folders are created when first needed. */
  constructor(folders: InboxFolders, options: { limits?: InboxLimits; unixMs?: () => number } = {}) {
    const limits = options.limits ?? INBOX_LIMITS;
    this.#messages = new Shelf(folders.inbox, { limits: limits.inbox, isOwn: isInboxName });
    this.#files = new Shelf(folders.received, { limits: limits.received, isOwn: isReceivedName });
    this.#unixMs = options.unixMs ?? Date.now;
  }

  /** Stores a message; resolves when it is safe on disk. @throws as {@link Shelf.put} */
  async store(message: IncomingMessage): Promise<Stored> {
    const now = this.#unixMs();
    const id = crypto.randomUUID();
    const file = () => new TextEncoder().encode(JSON.stringify(messageFields(message, { id, now })));
    const parts: NameParts = { base: message.type, extension: ".json" };
    const stamp = localStamp(now);
    const name = await this.#messages.put(file, (counter) => stampedName(parts, stamp, counter));
    return { id, name };
  }

  /** Stores a file under a harmless form of the name its sender gave. @throws as {@link Shelf.put} */
  async storeFile(file: { readonly name: string; readonly data: Uint8Array }): Promise<Stored> {
    const stamp = localStamp(this.#unixMs());
    const parts = receivedNameParts(file.name);
    const name = await this.#files.put(() => file.data, (counter) => stampedName(parts, stamp, counter));
    return { id: crypto.randomUUID(), name };
  }
}

/** Why storing failed, in words that reveal nothing about this computer. */
export function storeFailureReason(error: unknown): string {
  if (error instanceof PilotError && error.code === "too_large") return "quota";
  if (error instanceof Error && "code" in error && error.code === "ENOSPC") return "disk full";
  return "storage error";
}

function messageFields(message: IncomingMessage, options: { id: string; now: number }): object {
  const exact = decodeStrictUtf8(message.payload);
  return {
    authenticated: message.authenticated,
    bytes: message.payload.length,
    data: exact ?? new TextDecoder("utf-8", { ignoreBOM: true }).decode(message.payload),
    ...(exact === undefined ? { data_b64: encodeBase64(message.payload), data_encoding: "base64" } : {}),
    from: message.from,
    ...(message.fromKey === undefined ? {} : { from_key: message.fromKey }),
    id: options.id,
    received_at: localRfc3339(options.now),
    type: message.type,
  };
}
