/**
 * The questions of an examination that are being asked: each on its schedule, until it is answered or until its silence
 * is certain.
 */

import type { ExamineReply } from "../../wire/examine.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import type { Instant, Transmit } from "../machine.ts";
import { earlier } from "../timers.ts";
import type { Finding } from "./judge.ts";
import { Question, type QuestionOptions, TRIES_MS } from "./question.ts";
import { type Losses, patience, triesNeeded } from "./silence.ts";

/** How a question stands. */
export type Standing = "asking" | Finding;

/** A question that is asked. */
export interface Asked {
  readonly question: Question;
  readonly standing: Standing;
}

interface Item {
  readonly question: Question;
  readonly via: number;
  readonly startedAt: Instant;
  /** Nothing but loss keeps an answer away, so it tells how much is lost. */
  readonly isPlain: boolean;
  /** Goes on after an answer, to tell of losses meanwhile. */
  readonly isControl: boolean;
  standing: Standing;
}

/** How a question is to be asked. */
export interface AskOptions extends QuestionOptions {
  readonly kind: "plain" | "control" | "filtered";
  readonly now: Instant;
}

/** All questions of one examination. */
export class Asking {
  readonly #items: Item[] = [];
  readonly #transmits: Transmit[] = [];
  #next: Instant | undefined;
  #rtt: number | undefined;

  /** Begins to ask. */
  ask(options: AskOptions): Asked {
    const item: Item = {
      question: new Question(options),
      via: options.via,
      startedAt: options.now,
      isPlain: options.kind !== "filtered",
      isControl: options.kind === "control",
      standing: "asking",
    };
    this.#items.push(item);
    this.#transmits.push(item.question.ask(options.now));
    this.#schedule(options.now);
    return item;
  }

  /** The round-trip time heard last, milliseconds. */
  get rtt(): number | undefined {
    return this.#rtt;
  }

  /** Whether any question still waits for its first answer. */
  get isBusy(): boolean {
    return this.#items.some(({ standing, question }) =>
      standing === "asking" && question.reply === undefined
    );
  }

  /** What the network has lost so far, as far as that is known by now. */
  losses(now: Instant): Losses {
    const before = now - patience(this.#rtt);
    let [sent, lost] = [0, 0];
    for (const item of this.#items) {
      // One that is silent altogether asks a place that may not exist, unless it is the control.
      if (!item.isPlain || (!item.isControl && item.question.reply === undefined)) continue;
      const count = item.question.count(before);
      sent += count.sent;
      lost += count.lost;
    }
    return { sent, lost };
  }

  /** An answer that came to the socket `via`; whether it was asked for. */
  handleReply(arrival: { reply: ExamineReply; from: Endpoint; via: number; now: Instant }): boolean {
    const { reply, from, via, now } = arrival;
    for (const item of this.#items) {
      // An answer to another port than the one that asks is asked for elsewhere.
      if (item.via !== via || !item.question.handleReply(reply, from, now)) continue;
      this.#rtt = item.question.rtt;
      if (item.standing === "asking" && !item.isControl) item.standing = "came";
      this.#schedule(now);
      return true;
    }
    return false;
  }

  handleTimeout(now: Instant): void {
    if (this.#next === undefined || now < this.#next) return;
    const needed = triesNeeded(this.losses(now));
    for (const item of this.#items) {
      if (item.standing !== "asking") continue;
      const dueAt = this.#dueAt(item, needed);
      if (dueAt === undefined || now < dueAt) continue;
      const { question } = item;
      if (question.tries < this.#limit(item, needed)) this.#transmits.push(question.ask(now));
      else if (question.reply !== undefined) item.standing = "came";
      else item.standing = question.tries >= needed ? "silent" : "unknown";
    }
    this.#schedule(now);
  }

  pollTimeout(): Instant | undefined {
    return this.#next;
  }

  pollTransmit(): Transmit | undefined {
    return this.#transmits.shift();
  }

  #schedule(now: Instant): void {
    this.#next = undefined;
    if (!this.isBusy) return;
    const needed = triesNeeded(this.losses(now));
    for (const item of this.#items) {
      if (item.standing === "asking") this.#next = earlier(this.#next, this.#dueAt(item, needed));
    }
  }

  /** When the next try is due, or the last one has had its time. */
  #dueAt(item: Item, needed: number): Instant | undefined {
    const { question, startedAt } = item;
    if (question.tries < this.#limit(item, needed)) return startedAt + (TRIES_MS[question.tries] ?? 0);
    return (question.lastAt ?? startedAt) + patience(this.#rtt);
  }

  #limit(item: Item, needed: number): number {
    return item.isControl ? TRIES_MS.length : Math.min(needed, TRIES_MS.length);
  }
}
