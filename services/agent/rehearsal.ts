/**
 * The first conversation of a process runs in code that is not compiled yet: some ten milliseconds here and there, while
 * somebody waits for a first byte. So an agent lets two nodes, which nobody ever hears of, speak to each other before.
 */

import type { AeadProvider } from "../../lib/crypto/aead.ts";
import { generateIdentity } from "../../lib/crypto/identity.ts";
import type { RandomSource } from "../../lib/core/machine.ts";
import { Node } from "../../lib/core/node.ts";
import type { NodeEvent } from "../../lib/core/node_event.ts";
import { pause } from "../../lib/io/pause.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";

/** Conversations after which the compiler is done with most of it. */
const ROUNDS = 4;
/** Pause before each step, milliseconds: whatever else there is to do comes first. */
const PAUSE_MS = 2;
/** Steps of a conversation at most; it needs about 25. */
const MAX_STEPS = 400;
/** The port that is dialled, the greeting of who is dialled, and the answer, bytes. */
const PORT = 1_000;
const GREETING = new Uint8Array(16);
const ANSWER = new Uint8Array(4_096);

/** What the nodes of a rehearsal are made with. */
export interface RehearsalOptions {
  readonly aead: AeadProvider;
  readonly random: RandomSource;
  /** Milliseconds, monotonic; and Unix time in milliseconds. */
  readonly clock: { now(): number; unixMs(): number };
}

/**
 * Holds conversations in small steps, until `signal` aborts. Resolves with the number of those that came to their end.
 *
 * @throws Error when one does not, which is a defect of this computer or of ours
 */
export async function rehearse(options: RehearsalOptions, signal: AbortSignal): Promise<number> {
  for (let round = 0; round < ROUNDS; round++) {
    await pause(PAUSE_MS, signal);
    if (signal.aborted) return round;
    const conversation = new Conversation(options);
    for (let step = 0; !conversation.isOver; step++) {
      if (step === MAX_STEPS) throw new Error("a conversation with ourselves does not come to its end");
      await pause(PAUSE_MS, signal);
      if (signal.aborted) return round;
      conversation.step();
    }
  }
  return ROUNDS;
}

interface Side {
  readonly node: Node;
  readonly endpoint: Endpoint;
  received: number;
}

/** A dials b, b greets, a answers, both close. */
class Conversation {
  readonly #clock: RehearsalOptions["clock"];
  readonly #a: Side;
  readonly #b: Side;
  #closed = 0;

  constructor({ aead, random, clock }: RehearsalOptions) {
    this.#clock = clock;
    const [first, second] = [generateIdentity(random), generateIdentity(random)];
    const side = (own: typeof first, peer: typeof first, node: number): Side => {
      const trusted = { node: 3 - node, publicKey: peer.publicKey, approvedAt: 0, mutual: true, network: 0 };
      return {
        node: new Node({
          identity: own,
          aead,
          random,
          unixTime: () => clock.unixMs(),
          node,
          trust: { trusted: [trusted], pending: [], outgoing: [], denied: [] },
        }),
        // Of the range for documentation (RFC 5737): nothing is sent there.
        endpoint: { host: `192.0.2.${node}`, port: 4_000 },
        received: 0,
      };
    };
    this.#a = side(first, second, 1);
    this.#b = side(second, first, 2);
    const now = clock.now();
    this.#b.node.act(now, () => this.#b.node.ports.listen(PORT));
    this.#a.node.act(now, () => this.#a.node.tunnels.open(2, now));
    this.#a.node.act(now, () => {
      this.#a.node.tunnels.addEndpoint(2, this.#b.endpoint, { source: "registry", now });
    });
    this.#a.node.connect({ network: 0, node: 2 }, PORT, now);
  }

  get isOver(): boolean {
    return this.#closed === 2;
  }

  /** Moves one datagram, or looks at the clock when there is none. */
  step(): void {
    const now = this.#clock.now();
    const isQuiet = !this.#move(this.#a, this.#b, now) && !this.#move(this.#b, this.#a, now);
    for (const side of [this.#a, this.#b]) {
      const due = side.node.pollTimeout();
      if (isQuiet && due !== undefined && due <= now) side.node.handleTimeout(now);
      this.#hear(side, now);
    }
  }

  /** Returns whether there was a datagram. */
  #move(from: Side, to: Side, now: number): boolean {
    const next = from.node.pollTransmit(now);
    if (next === undefined) return false;
    if (next.to.host === to.endpoint.host) to.node.handleDatagram(from.endpoint, next.data, now);
    return true;
  }

  #hear(side: Side, now: number): void {
    for (let event = side.node.pollEvent(); event !== undefined; event = side.node.pollEvent()) {
      side.node.act(now, () => this.#handle(side, event, now));
    }
  }

  #handle(side: Side, event: NodeEvent, now: number): void {
    if (event.type === "registry") return side.node.handleRegistryReply(event.tag, undefined, now);
    if (event.type !== "stream") return;
    const { id, type } = event.event;
    const { ports } = side.node;
    if (type === "accepted") {
      ports.take(id);
      ports.write(id, GREETING, now);
    }
    if (type === "closed") this.#closed++;
    if (type !== "readable") return;
    for (let data = ports.read(id, now); data !== undefined; data = ports.read(id, now)) {
      side.received += data.length;
    }
    if (side === this.#a && side.received === GREETING.length) {
      ports.write(id, ANSWER, now);
      ports.shutdown(id, now);
    } else if (side === this.#b && side.received === ANSWER.length) ports.shutdown(id, now);
  }
}
