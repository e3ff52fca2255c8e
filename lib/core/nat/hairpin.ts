/**
 * Does a datagram to the own outside endpoint come back (RFC 4787 section 6)?
 *
 * Two sockets send to each other's outside endpoint, so that filters let the datagrams in if the NAT turns them around
 * at all.
 */

import { encodeExamine, EXAMINE_TOKEN_SIZE } from "../../wire/examine.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import { equalBytes } from "../../wire/bytes.ts";
import type { Instant, RandomSource, Transmit } from "../machine.ts";
import { ASKED, TRIES_MS } from "./question.ts";
import { type Losses, patience, triesNeeded } from "./silence.ts";

/** A socket and where it shows. */
export interface HairpinSide {
  readonly via: number;
  readonly outside: Endpoint;
}

/** What is known of the network meanwhile. */
export interface HairpinConditions {
  readonly losses: Losses;
  readonly rtt: number | undefined;
}

/** The test. */
export class HairpinTest {
  readonly #sides: readonly [HairpinSide, HairpinSide];
  readonly #token: Uint8Array;
  readonly #startedAt: Instant;
  readonly #transmits: Transmit[] = [];
  #tries = 0;
  #lastAt: Instant = 0;
  #result: "came" | "silent" | "unknown" | undefined;
  #next: Instant | undefined;

  constructor(sides: readonly [HairpinSide, HairpinSide], options: { random: RandomSource; now: Instant }) {
    this.#sides = sides;
    this.#token = options.random(new Uint8Array(EXAMINE_TOKEN_SIZE));
    this.#startedAt = options.now;
    this.#next = options.now;
  }

  /** `undefined` while it goes on. */
  get result(): "came" | "silent" | "unknown" | undefined {
    return this.#result;
  }

  /** A question that came to the node; whether it is the one that it sent itself. */
  handleToken(token: Uint8Array): boolean {
    if (!equalBytes(token, this.#token)) return false;
    this.#result = "came";
    this.#next = undefined;
    return true;
  }

  handleTimeout(conditions: HairpinConditions, now: Instant): void {
    if (this.#next === undefined || now < this.#next) return;
    const needed = triesNeeded(conditions.losses);
    if (this.#tries < Math.min(needed, TRIES_MS.length)) this.#send(now);
    else if (now >= this.#lastAt + patience(conditions.rtt)) {
      this.#result = this.#tries >= needed ? "silent" : "unknown";
      this.#next = undefined;
      return;
    }
    const more = this.#tries < Math.min(needed, TRIES_MS.length) ? TRIES_MS[this.#tries] : undefined;
    this.#next = more === undefined ? this.#lastAt + patience(conditions.rtt) : this.#startedAt + more;
  }

  pollTimeout(): Instant | undefined {
    return this.#next;
  }

  pollTransmit(): Transmit | undefined {
    return this.#transmits.shift();
  }

  #send(now: Instant): void {
    const data = encodeExamine({ from: ASKED, token: this.#token, port: 0 });
    const [a, b] = this.#sides;
    this.#transmits.push({ via: a.via, to: b.outside, data }, {
      via: b.via,
      to: a.outside,
      data: data.slice(),
    });
    this.#lastAt = now;
    this.#tries++;
  }
}
