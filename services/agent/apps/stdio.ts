/**
 * Stdio, port 1000: raw bytes without framing. What a peer sends becomes a message in the inbox, and the peer is
 * told so in one line of text.
 *
 * A message ends with the peer's end, with the last bracket of a JSON object or array, or with silence.
 */

import {
  acknowledgementText,
  type DataFrame,
  DataType,
  frameOf,
  MAX_DATA_PAYLOAD,
} from "../../../lib/wire/apps.ts";
import { ByteQueue } from "../../../lib/wire/byte_queue.ts";
import { encodeUtf8 } from "../../../lib/wire/bytes.ts";
import type { AgentApi } from "../api.ts";
import type { MessageStore } from "./deliveries.ts";
import { isJsonSpace, JsonBoundary, opensJson } from "./json_boundary.ts";
import { type Service, type ServiceLog, startService } from "./service.ts";
import { type PeerDirectory, type Session, type StoringOptions, storingService } from "./session.ts";

/** The port of the stdio service. */
export const STDIO_PORT = 1000;

/** Silence that ends a message which fits one segment, in milliseconds. */
const SHORT_SILENCE_MS = 30;
/** Longer messages travel in several segments, and a lost one takes a retransmission to arrive, in milliseconds. */
const LONG_SILENCE_MS = 300;
/** A message up to this size is taken to have come in one segment, in bytes. */
const ONE_SEGMENT = 1024;
/** Silence that ends a JSON text with open brackets, in milliseconds. */
const UNFINISHED_JSON_SILENCE_MS = 1_000;

const EMPTY: DataFrame = { type: DataType.TEXT, payload: new Uint8Array(0) };

/** Starts the stdio service; the returned function stops it. @throws PilotError as `AgentApi.listen` */
export function serveStdio(
  api: PeerDirectory & Pick<AgentApi, "listen">,
  inbox: MessageStore,
  log?: ServiceLog,
): () => void {
  return startService(api, stdioService(api, { inbox, log }));
}

/** The service as a value. */
export function stdioService(api: PeerDirectory, options: StoringOptions): Service {
  return storingService(api, { ...options, port: STDIO_PORT, run });
}

/** How a message came to its end. */
type MessageEnd = "complete" | "peer-ended" | "too-long";

async function run(session: Session): Promise<void> {
  const queue = new ByteQueue();
  for (let first = true;; first = false) {
    const end = await collect(session, queue);
    const frame = frameOf(queue.take(queue.length));
    if (end === "too-long") return await answer(session, acknowledgementText(frame, "too long"));
    if (frame.payload.length > 0) {
      await answer(session, await session.deliveries.accept(frame, session.sender));
    } else if (first) await answer(session, acknowledgementText(EMPTY)); // nothing to store, so nothing is lost
    session.hold(0);
    if (end === "peer-ended") return;
  }
}

async function collect(session: Session, queue: ByteQueue): Promise<MessageEnd> {
  const shape = new MessageShape();
  for (;;) {
    const piece = queue.length === 0 ? await session.read() : await session.readWithin(shape.silenceMs);
    if (piece === null) return "peer-ended";
    if (piece === "timeout") return "complete";
    if (queue.length + piece.length > MAX_DATA_PAYLOAD) return "too-long";
    session.hold(queue.length + piece.length);
    queue.push(piece);
    shape.push(piece);
    if (shape.isWholeJson) return "complete";
  }
}

/** What the bytes so far look like, and so how much silence means that the message is whole. */
class MessageShape {
  #bytes = 0;
  #json: JsonBoundary | undefined;
  isWholeJson = false;

  push(piece: Uint8Array): void {
    if (this.#bytes === 0 && opensJson(piece[0])) this.#json = new JsonBoundary();
    this.#bytes += piece.length;
    const end = this.#json?.push(piece);
    if (end === undefined) return;
    this.isWholeJson = piece.subarray(end).every(isJsonSpace);
    this.#json = undefined; // otherwise more text follows: not one JSON value
  }

  get silenceMs(): number {
    if (this.#json !== undefined) return UNFINISHED_JSON_SILENCE_MS;
    return this.#bytes <= ONE_SEGMENT ? SHORT_SILENCE_MS : LONG_SILENCE_MS;
  }
}

async function answer(session: Session, text: string): Promise<void> {
  await session.write(encodeUtf8(`${text}\n`));
}
