/**
 * How long a mapping lives without traffic (RFC 5780 section 4.6).
 *
 * A fresh socket speaks to the beacon twice and falls silent. After a while the main socket asks the beacon for an
 * answer to the fresh socket's outside port: it arrives if, and only if, the mapping is still there. Longer and shorter
 * silences follow. Nothing of this is urgent, so it takes a few packets a minute.
 */

import { decodeExamineReply, type ExamineReply } from "../../wire/examine.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import type { Instant, RandomSource, Transmit } from "../machine.ts";
import type { ViaNumbers } from "../via.ts";
import { keepAliveMs, type LifetimeBounds, nextSilence } from "./lifetime_bounds.ts";
import { Question } from "./question.ts";

/** Least distance of two packets, milliseconds. */
export const LIFETIME_GAP_MS = 10_000;
/** Tries before an answer counts as not coming. */
const TRIES = 3;
/** A round that failed for other reasons is made again after this time, milliseconds. */
const PAUSE_MS = 120_000;
/** Failed rounds after which the search ends with what it has. */
const MAX_FAILURES = 4;

/** What a search works with. */
export interface LifetimeOptions {
  readonly beacon: Endpoint;
  readonly random: RandomSource;
  readonly vias: ViaNumbers;
  readonly now: Instant;
}

/**
 * `open`: the fresh socket makes its mapping. `confirm`: it speaks again, as NATs keep mappings of lasting flows
 * longer. `silence`: it waits. `probe`: the answer to its port is asked for. `control`: the main socket asks for itself.
 */
type Step = "open" | "confirm" | "silence" | "probe" | "control";

/** A search for the lifetime of mappings. */
export class LifetimeSearch {
  readonly #options: LifetimeOptions;
  readonly #via: number;
  #step: Step = "open";
  #question: Question | undefined;
  /** Where the fresh socket shows. */
  #outside: Endpoint | undefined;
  #next: Instant | undefined;
  #bounds: LifetimeBounds = { alive: 0 };
  #failures = 0;
  #isUpset = false;
  #finished = false;
  readonly #transmits: Transmit[] = [];

  constructor(options: LifetimeOptions) {
    this.#options = options;
    this.#via = options.vias.take();
    this.#next = options.now;
  }

  /** Whether there is nothing more to find out. */
  get isFinished(): boolean {
    return this.#finished;
  }

  /** The longest silence that a mapping has survived, milliseconds; `undefined` until the search is over. */
  get lifetimeMs(): number | undefined {
    const { alive, dead } = this.#bounds;
    return this.#finished && (alive > 0 || dead !== undefined) ? alive : undefined;
  }

  /** How long a mapping may be left alone by what is known so far, milliseconds. */
  get keepAliveMs(): number {
    return keepAliveMs(this.#bounds);
  }

  /** Mappings were lost, perhaps for other reasons than silence: that of this round may be among them. */
  noteUpset(): void {
    this.#isUpset = true;
  }

  handleDatagram(from: Endpoint, data: Uint8Array, now: Instant, via: number): boolean {
    const question = this.#question;
    const reply = question === undefined ? "short" : decodeExamineReply(data);
    if (question === undefined || typeof reply === "string") return false;
    if (via !== (this.#step === "control" ? 0 : this.#via)) return false;
    const isFirst = question.reply === undefined;
    if (!question.handleReply(reply, from, now)) return false;
    if (isFirst) this.#answered(reply, now);
    return true;
  }

  handleTimeout(now: Instant): void {
    if (this.#next === undefined || now < this.#next) return;
    const { random, beacon } = this.#options;
    if (this.#question === undefined) {
      const { port } = this.#outside ?? { port: 0 };
      if (this.#step === "silence") this.#step = "probe";
      if (this.#step === "probe") {
        this.#question = new Question({ via: 0, to: beacon, port, random });
      } else {
        const via = this.#step === "control" ? 0 : this.#via;
        this.#question = new Question({ via, to: beacon, random });
      }
    }
    if (this.#question.tries >= TRIES) return this.#unanswered(now);
    this.#transmits.push(this.#question.ask(now));
    this.#next = now + LIFETIME_GAP_MS;
  }

  pollTimeout(): Instant | undefined {
    return this.#next;
  }

  pollTransmit(): Transmit | undefined {
    return this.#transmits.shift();
  }

  /** Ends the search with what it has found so far. */
  close(): void {
    this.#next = undefined;
    this.#question = undefined;
    this.#options.vias.give(this.#via);
  }

  #answered(reply: ExamineReply, now: Instant): void {
    const spokeAt = this.#question?.lastAt ?? now;
    if (this.#step === "open") {
      this.#outside = reply.seen;
      this.#goTo("confirm", spokeAt + LIFETIME_GAP_MS);
    } else if (this.#step === "confirm") {
      this.#outside = reply.seen;
      this.#goTo("silence", spokeAt + (nextSilence(this.#bounds) ?? 0));
    } else if (this.#step === "probe") {
      this.#found({ ...this.#bounds, alive: this.#asked() }, now);
    } else if (this.#isUpset || reply.seen.host !== this.#outside?.host) {
      // Or the two sockets have different outside addresses, and the answer went to somebody else.
      this.#fail(now);
    } else {
      this.#found({ ...this.#bounds, dead: this.#asked() }, now);
    }
  }

  #unanswered(now: Instant): void {
    if (this.#step === "probe") this.#goTo("control", now);
    else this.#fail(now);
  }

  /** The silence of this round. */
  #asked(): number {
    return nextSilence(this.#bounds) ?? 0;
  }

  #found(bounds: LifetimeBounds, now: Instant): void {
    this.#bounds = bounds;
    this.#failures = 0;
    if (nextSilence(bounds) === undefined) this.#finish();
    else this.#goTo("open", now + LIFETIME_GAP_MS);
  }

  #fail(now: Instant): void {
    if (++this.#failures >= MAX_FAILURES) this.#finish();
    else this.#goTo("open", now + PAUSE_MS);
  }

  #finish(): void {
    this.#finished = true;
    this.close();
  }

  #goTo(step: Step, at: Instant): void {
    this.#step = step;
    if (step === "open") this.#isUpset = false;
    this.#question = undefined;
    this.#next = at;
  }
}
