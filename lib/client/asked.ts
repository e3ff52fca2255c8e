/**
 * What was asked over one socket and is not answered yet. Replies carry no number: a reply belongs to the oldest call
 * that expects its kind, an error to what its text names.
 */

import type { IpcReply } from "../wire/ipc.ts";
import type { PilotError } from "../wire/error.ts";
import type { AgentError } from "./errors.ts";

/** Most groups of Sends remembered to attribute errors of agents that do not name the stream. */
const MAX_SENDS = 4096;

/** A request that waits for its reply. */
export interface Call {
  /** A SendTo to be confirmed. */
  readonly datagram: boolean;
  readonly expects: (reply: IpcReply) => boolean;
  readonly settle: (outcome: IpcReply | AgentError) => void;
  readonly lost: (error: PilotError) => void;
}

/** Consecutive Sends of one stream: they are not answered, but may fail. */
interface Sends {
  readonly connection: number;
}

/** Whom an error concerns: a stream or a call, or nobody that is known. */
export interface Blamed {
  readonly connection?: number | undefined;
  readonly call?: Call | undefined;
}

/** Calls and Sends in the order in which they were made. */
export class Asked {
  #queue: (Call | Sends)[] = [];

  add(call: Call): void {
    this.#queue.push(call);
  }

  /** Notes a Send. Only needed for agents whose errors do not name the stream. */
  addSend(connection: number): void {
    const last = this.#queue.at(-1);
    if (last !== undefined && !isCall(last) && last.connection === connection) return;
    this.#queue.push({ connection });
    if (this.#queue.length <= MAX_SENDS) return;
    const oldest = this.#queue.findIndex((entry) => !isCall(entry));
    if (oldest >= 0) this.#queue.splice(oldest, 1);
  }

  /** Takes out the call that `reply` answers, if there is one. */
  answer(reply: IpcReply): Call | undefined {
    const index = this.#queue.findIndex((entry) => isCall(entry) && entry.expects(reply));
    const call = this.#queue[index];
    if (call === undefined || !isCall(call)) return undefined;
    // A notice looks like a reply to Close, so CloseOK does not prove that what was sent before is done.
    const before = this.#queue.slice(0, index);
    const unproven = reply.kind === "close_ok" ? before : before.filter(isCall);
    this.#queue = [...unproven, ...this.#queue.slice(index + 1)];
    return call;
  }

  /** Takes out what `error` ends. */
  fail(error: AgentError): Blamed {
    const named = error.details.connection ?? numberIn(/^connection (\d+) not found$/.exec(error.text)?.[1]);
    if (named !== undefined) {
      // What was sent before is done, and further errors of this stream will name it again.
      const index = this.#queue.findIndex((entry) => !isCall(entry) && entry.connection === named);
      this.#queue = this.#queue.filter((entry, i) => i > index || isCall(entry));
      return { connection: named };
    }
    if (error.text.startsWith("send: ")) {
      const oldest = this.#queue.find((entry) => !isCall(entry));
      return { connection: oldest === undefined || isCall(oldest) ? undefined : oldest.connection };
    }
    // Datagrams that nobody confirms fail silently; their errors must not hit an innocent call.
    const isDatagram = error.text.startsWith("sendto: ");
    const index = this.#queue.findIndex((entry) => isCall(entry) && (!isDatagram || entry.datagram));
    const call = this.#queue[index];
    if (call === undefined || !isCall(call)) return {};
    this.#queue = this.#queue.filter((entry, i) => i > index || (i < index && isCall(entry)));
    return { call };
  }

  /** Takes out all calls. */
  clear(): Call[] {
    return this.#queue.splice(0).filter(isCall);
  }
}

function isCall(entry: Call | Sends): entry is Call {
  return "expects" in entry;
}

function numberIn(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
