/** One stream of one local client: its Sends in order, its Recvs under flow control, its one end notice. */

import {
  creditMessage,
  END_REASONS,
  type EndReason,
  INITIAL_CREDIT,
  SEND_OVERHEAD,
} from "../../../lib/client/extensions.ts";
import type { MessageWriter } from "../../../lib/io/message_writer.ts";
import { Command } from "../../../lib/wire/ipc.ts";
import type { AgentStream } from "../api.ts";
import { type Failure, sendFailure } from "./failures.ts";

/** Bytes of a Recv for clients that do not speak our additions: what one segment of the public network may have. */
const MAX_PLAIN_RECV = 65_535;

/** Bytes taken from a stream at a time, and so of a Recv for our own clients, give or take the last segment. */
const BATCH = 128 * 1024;

/** Bytes that a peer may go on sending after our close before the stream is reset. */
const MAX_DISCARDED = 1024 * 1024;

/** What a stream needs of its client. */
export interface StreamOwner {
  readonly writer: MessageWriter;
  /** Whether the client speaks our additions: credit, reasons. */
  readonly extended: boolean;
  /** The stream is over and nothing more will be sent about it. */
  forget(id: number): void;
}

/** Connects an `AgentStream` with the socket of its owner. */
export class OwnedStream {
  readonly stream: AgentStream;
  readonly #owner: StreamOwner;
  #lane: Promise<void> = Promise.resolve();
  #steps = 0;
  #sending: "open" | "ended" = "open";
  #receiving: "open" | "discarding" = "open";
  #credit: number;
  #credited: (() => void) | undefined;
  #returned = 0;
  #noticed = false;
  #failed = false;
  #discarded = 0;

  constructor(stream: AgentStream, owner: StreamOwner) {
    this.stream = stream;
    this.#owner = owner;
    this.#credit = owner.extended ? INITIAL_CREDIT : Infinity;
  }

  /** Begins to push what the peer sends; call it once, after the client knows the stream. */
  start(): void {
    void this.#pump();
    // A reset must be told even to a client that gives no credit; data before an orderly end still needs some.
    void this.stream.closed.then((reason) => {
      this.#failed = reason !== "done";
      if (this.#failed) this.#wake();
    });
  }

  /** Hands data to the transport, after all earlier data. Resolves with what went wrong, if anything. */
  send(data: Uint8Array): Promise<Failure | undefined> {
    return this.#inOrder(async () => {
      if (this.#sending !== "open") return this.#notEstablished();
      if (data.length === 0) return undefined;
      try {
        await this.stream.write(data);
        return undefined;
      } catch (error) {
        this.#sending = "ended";
        return sendFailure(error, { connection: this.stream.id, node: this.stream.remote.node });
      } finally {
        this.#returnCredit(data.length + SEND_OVERHEAD);
      }
    });
  }

  /** Ends the sending side after all earlier data; what the peer sends goes on arriving. */
  endSending(): Promise<void> {
    return this.#inOrder(() => {
      this.#end();
      return Promise.resolve();
    });
  }

  /** Ends the stream after all earlier data. What still arrives is thrown away. */
  close(): Promise<void> {
    return this.#inOrder(() => {
      this.closeNow();
      return Promise.resolve();
    });
  }

  /** Ends the stream with what the transport has already taken. */
  closeNow(): void {
    this.discard();
    this.#end();
  }

  /** Nobody is interested any more in what the peer sends. */
  discard(): void {
    this.#receiving = "discarding";
    this.#wake();
  }

  /** The client consumed `bytes` of what was pushed. */
  grant(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > 0) this.#wake();
  }

  /** Tells the client, once, that the stream has ended. */
  async notice(reason: EndReason): Promise<void> {
    if (this.#noticed) return;
    this.#noticed = true;
    const message = new Uint8Array(this.#owner.extended ? 6 : 5);
    message[0] = Command.CLOSE_OK;
    new DataView(message.buffer).setUint32(1, this.stream.id);
    if (this.#owner.extended) message[5] = Math.max(0, END_REASONS.indexOf(reason));
    await this.#owner.writer.push(message);
  }

  #inOrder<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#steps === 0 ? step() : this.#lane.then(step);
    this.#steps++;
    const settled = () => void this.#steps--;
    this.#lane = result.then(settled, settled);
    return result;
  }

  #end(): void {
    if (this.#sending === "ended") return;
    this.#sending = "ended";
    // A stream that has failed meanwhile needs no close; the pump reports its end.
    this.stream.close().catch(() => {});
  }

  /** Lets an extended client send more, not for every Send but in good time. */
  #returnCredit(bytes: number): void {
    if (!this.#owner.extended) return;
    this.#returned += bytes;
    if (this.#returned < INITIAL_CREDIT / 4) return;
    this.#owner.writer.post(creditMessage(this.stream.id, this.#returned));
    this.#returned = 0;
  }

  #notEstablished(): Failure {
    return { text: "send: connection not established", code: "invalid_state", connection: this.stream.id };
  }

  async #pump(): Promise<void> {
    let reason: EndReason = "done";
    try {
      for (;;) {
        if (this.#mustWait) await this.#creditAvailable();
        const pieces = await this.stream.readBatch(Math.max(1, Math.min(BATCH, this.#credit)));
        if (pieces === null) break;
        if (this.#receiving === "open") await this.#deliver(pieces);
        else this.#discard(pieces);
      }
    } catch {
      this.#sending = "ended";
      reason = await this.stream.closed;
    }
    await this.notice(reason);
    await this.stream.closed;
    await this.#lane;
    this.#owner.forget(this.stream.id);
  }

  async #deliver(pieces: readonly Uint8Array[]): Promise<void> {
    const { extended, writer } = this.#owner;
    for (const parts of extended ? [pieces] : cut(pieces, MAX_PLAIN_RECV)) {
      if (this.#receiving !== "open") return;
      for (const part of parts) this.#credit -= part.length;
      const queued = writer.lend([recvHeader(this.stream.id), ...parts], () => this.stream.giveBack(parts));
      if (queued !== true && !await queued) return this.discard();
    }
  }

  #discard(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.#discarded += piece.length;
    this.stream.giveBack(pieces);
    if (this.#discarded > MAX_DISCARDED) this.stream.abort();
  }

  get #mustWait(): boolean {
    return this.#credit <= 0 && this.#receiving === "open" && !this.#failed;
  }

  async #creditAvailable(): Promise<void> {
    while (this.#mustWait) await new Promise<void>((resolve) => this.#credited = resolve);
  }

  #wake(): void {
    const credited = this.#credited;
    this.#credited = undefined;
    credited?.();
  }
}

function recvHeader(id: number): Uint8Array {
  return Uint8Array.of(Command.RECV, id >>> 24, id >>> 16, id >>> 8, id);
}

/** Each piece by itself, in parts of at most `size` bytes. */
function* cut(pieces: readonly Uint8Array[], size: number): Generator<readonly [Uint8Array]> {
  for (const piece of pieces) {
    if (piece.length <= size) yield [piece];
    else for (let at = 0; at < piece.length; at += size) yield [piece.subarray(at, at + size)];
  }
}
