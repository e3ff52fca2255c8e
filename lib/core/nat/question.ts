/**
 * One question of an examination: put again and again until it is answered, or until silence means something.
 */

import {
  encodeExamine,
  EXAMINE_TOKEN_SIZE,
  type ExaminePlace,
  type ExamineReply,
} from "../../wire/examine.ts";
import { type Endpoint, sameEndpoint } from "../../wire/endpoint.ts";
import type { Instant, RandomSource, Transmit } from "../machine.ts";

/** The place that is asked. */
export const ASKED: ExaminePlace = { otherAddress: false, otherPort: false };

/** When a question is put, milliseconds after the first time. Losses come in bursts, hence the spread. */
export const TRIES_MS: readonly number[] = [
  ...[0, 120, 250, 400, 600, 850, 1_100, 1_400, 1_700, 2_000],
  ...[2_400, 2_800, 3_200, 3_600, 4_000, 4_400, 4_800, 5_200, 5_600, 6_000],
];

/** What to ask. */
export interface QuestionOptions {
  /** The socket to ask from. */
  readonly via: number;
  /** The place of the beacon to ask. */
  readonly to: Endpoint;
  /** The place that answers, seen from the one asked; default that one itself. */
  readonly place?: ExaminePlace;
  /** Where that place is: answers from elsewhere are none. Default `to`. */
  readonly from?: Endpoint;
  /** The port of our address to answer to; default the one that asks. */
  readonly port?: number;
  readonly random: RandomSource;
}

/** One question. */
export class Question {
  readonly #options: QuestionOptions;
  readonly #stem: Uint8Array;
  /** When each try was made. */
  readonly #sent: Instant[] = [];
  /** Tries that were answered. */
  readonly #answered = new Set<number>();
  #reply: ExamineReply | undefined;
  #rtt: number | undefined;

  constructor(options: QuestionOptions) {
    this.#options = options;
    this.#stem = options.random(new Uint8Array(EXAMINE_TOKEN_SIZE - 1));
  }

  /** The first answer. */
  get reply(): ExamineReply | undefined {
    return this.#reply;
  }

  /** Where the beacon saw the question come from. */
  get seen(): Endpoint | undefined {
    return this.#reply?.seen;
  }

  /** Round-trip time of the last answer, milliseconds. */
  get rtt(): number | undefined {
    return this.#rtt;
  }

  get tries(): number {
    return this.#sent.length;
  }

  /** Whether the very first try was answered. */
  get isPrompt(): boolean {
    return this.#answered.has(0);
  }

  get lastAt(): Instant | undefined {
    return this.#sent.at(-1);
  }

  /** How many of the tries made until `before` there are, and how many of them stayed unanswered. */
  count(before: Instant): { readonly sent: number; readonly lost: number } {
    let sent = 0;
    let lost = 0;
    for (const [attempt, at] of this.#sent.entries()) {
      const isAnswered = this.#answered.has(attempt);
      if (at > before && !isAnswered) continue;
      sent++;
      if (!isAnswered) lost++;
    }
    return { sent, lost };
  }

  /** The next try. */
  ask(now: Instant): Transmit {
    const { via, to, place = ASKED, port = 0 } = this.#options;
    const token = new Uint8Array(EXAMINE_TOKEN_SIZE);
    token.set(this.#stem);
    token[EXAMINE_TOKEN_SIZE - 1] = this.#sent.length;
    this.#sent.push(now);
    return { via, to, data: encodeExamine({ from: place, token, port }) };
  }

  /** Whether this is an answer to it, which it takes then. The socket that it came to is for the caller to check. */
  handleReply(reply: ExamineReply, from: Endpoint, now: Instant): boolean {
    if (!this.#stem.every((byte, i) => byte === reply.token[i])) return false;
    if (!sameEndpoint(from, this.#options.from ?? this.#options.to)) return false;
    const attempt = reply.token[EXAMINE_TOKEN_SIZE - 1] ?? 0;
    const sentAt = this.#sent[attempt];
    if (sentAt === undefined || this.#answered.has(attempt)) return false;
    this.#answered.add(attempt);
    this.#rtt = now - sentAt;
    this.#reply ??= reply;
    return true;
  }
}
