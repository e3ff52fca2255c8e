/**
 * Data exchange, port 1001: frames of text, bytes, JSON and files. Each is stored, then answered with one TEXT frame,
 * in order: `ACK <NAME> <n> bytes` or `ERR <NAME> save failed: <reason>`.
 *
 * A stream that starts with `{` or `[` cannot be frames of a known type: it is read as JSON values without framing,
 * each answered with the same words and a line feed.
 */

import {
  type DataFrame,
  DataFrameReader,
  DataType,
  encodeDataFrame,
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

/** The port of the data exchange service. */
export const DATA_EXCHANGE_PORT = 1001;

/** Starts the service; the returned function stops it. @throws PilotError as `AgentApi.listen` */
export function serveDataExchange(
  api: PeerDirectory & Pick<AgentApi, "listen">,
  inbox: MessageStore,
  log?: ServiceLog,
): () => void {
  return startService(api, dataExchangeService(api, { inbox, log }));
}

/** The service as a value. */
export function dataExchangeService(api: PeerDirectory, options: StoringOptions): Service {
  return storingService(api, { ...options, port: DATA_EXCHANGE_PORT, run });
}

async function run(session: Session): Promise<void> {
  const first = await session.read();
  if (first === null) return;
  if (opensJson(first[0])) await receiveJson(session, first);
  else await receiveFrames(session, first);
}

async function receiveFrames(session: Session, first: Uint8Array): Promise<void> {
  const reader = new DataFrameReader(MAX_DATA_PAYLOAD);
  for (let piece: Uint8Array | null = first; piece !== null; piece = await session.read()) {
    session.hold(session.held + piece.length);
    const frames = reader.push(piece);
    if (frames === "too-long") throw new Error("frame too long");
    for (const frame of frames) await acknowledgeFrame(session, frame);
    session.hold(reader.pendingBytes);
    if (reader.failed) throw new Error("frame too long");
  }
}

async function acknowledgeFrame(session: Session, frame: DataFrame): Promise<void> {
  const text = await session.deliveries.accept(frame, session.sender);
  await session.write(encodeDataFrame({ type: DataType.TEXT, payload: encodeUtf8(text) }));
}

async function receiveJson(session: Session, first: Uint8Array): Promise<void> {
  const queue = new ByteQueue();
  let boundary = new JsonBoundary();
  for (let piece: Uint8Array | null = first; piece !== null; piece = await session.read()) {
    for (let rest = piece; rest.length > 0;) {
      if (queue.length === 0) rest = withoutLeadingSpace(rest);
      if (rest.length === 0) break;
      if (queue.length === 0 && !opensJson(rest[0])) throw new Error("not JSON");
      const end = boundary.push(rest);
      const taken = rest.subarray(0, end);
      if (queue.length + taken.length > MAX_DATA_PAYLOAD) throw new Error("message too long");
      session.hold(queue.length + taken.length);
      queue.push(taken);
      rest = rest.subarray(taken.length);
      if (end === undefined) break;
      await acknowledgeJson(session, queue.take(queue.length));
      session.hold(0);
      boundary = new JsonBoundary();
    }
  }
  if (queue.length > 0) await acknowledgeJson(session, queue.take(queue.length));
}

async function acknowledgeJson(session: Session, payload: Uint8Array): Promise<void> {
  const text = await session.deliveries.accept(frameOf(payload), session.sender);
  await session.write(encodeUtf8(`${text}\n`));
}

function withoutLeadingSpace(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => !isJsonSpace(byte));
  return start < 0 ? bytes.subarray(bytes.length) : bytes.subarray(start);
}
