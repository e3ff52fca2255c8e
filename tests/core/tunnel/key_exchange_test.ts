/** The key exchange of one node by itself: what it sends to whom, how often, and what it believes. */

import { EXCHANGE_SCHEDULE_MS, KEY_REQUEST_FROM, REKEY_REQUEST_GAP_MS } from "../../../lib/core/constants.ts";
import type { TunnelEvent } from "../../../lib/core/tunnel/event.ts";
import { makeExchange } from "../../../lib/core/tunnel/exchange.ts";
import { FrameSlab } from "../../../lib/core/tunnel/frame_slab.ts";
import { KeyExchange } from "../../../lib/core/tunnel/key_exchange.ts";
import { RELAY, type Route } from "../../../lib/core/tunnel/path.ts";
import { Peer } from "../../../lib/core/tunnel/peer.ts";
import { BASE_DATAGRAM } from "../../../lib/core/tunnel/pmtu.ts";
import { TunnelStats } from "../../../lib/core/tunnel/stats.ts";
import { nobleAead } from "../../../lib/crypto/aead.ts";
import { type ExchangeKey, generateExchangeKey } from "../../../lib/crypto/exchange.ts";
import { generateIdentity, type Identity } from "../../../lib/crypto/identity.ts";
import { NO_EXCHANGE_OPTIONS } from "../../../lib/wire/exchange_options.ts";
import { decodeFrame } from "../../../lib/wire/tunnel.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SeededRandom } from "../../sim/random.ts";

const EPOCH = 1_800_000_000_000;
const THEM = 9;
const US = 4;

/** One node's exchange with everything around it in view. */
class Bench {
  readonly random = new SeededRandom(21).bytes;
  readonly them: Identity = generateIdentity(this.random);
  readonly stats = new TunnelStats();
  readonly events: TunnelEvent[] = [];
  /** Kinds of the frames sent, with the kind of their route. */
  readonly sent: string[] = [];
  readonly peers = new Map<number, Peer>();
  scheduled: number | undefined;
  /** What policy says. */
  mayExchange = true;
  known: Uint8Array | undefined = this.them.publicKey;
  readonly exchange: KeyExchange;

  constructor() {
    const context = {
      self: () => US,
      aead: nobleAead,
      random: this.random,
      unixTime: (now: number) => EPOCH + now,
      slab: new FrameSlab(),
      ceiling: () => BASE_DATAGRAM,
    };
    this.exchange = new KeyExchange({
      ...context,
      identity: generateIdentity(this.random),
      abilities: NO_EXCHANGE_OPTIONS,
      policy: {
        mayExchange: () => this.mayExchange,
        acceptsKey: () => true,
        identityKey: () => this.known,
      },
      stats: this.stats,
      peer: (node, now) => {
        const peer = this.peers.get(node) ?? new Peer(node, context, now);
        this.peers.set(node, peer);
        return peer;
      },
      everywhere: () => [RELAY],
      transmit: (_, route, frame) => this.#note(route, frame),
      emit: (event) => this.events.push(event),
      schedule: (_, at) => this.scheduled = at,
      noteSession: () => {},
      agreed: () => {},
    });
  }

  get peer(): Peer {
    const peer = this.peers.get(THEM) ?? new Peer(THEM, {
      self: () => US,
      aead: nobleAead,
      random: this.random,
      unixTime: (now) => EPOCH + now,
      slab: new FrameSlab(),
      ceiling: () => BASE_DATAGRAM,
    }, 0);
    this.peers.set(THEM, peer);
    return peer;
  }

  /** Their PILA arrives. */
  hear(
    now: number,
    options: { key?: ExchangeKey; answer?: boolean; receiver?: number; time?: number; route?: Route } = {},
  ): void {
    const key = options.key ?? generateExchangeKey(this.random);
    const data = makeExchange({ node: THEM, identity: this.them, key }, {
      receiver: options.receiver ?? US,
      answer: options.answer ?? false,
      time: options.time ?? EPOCH + now,
      abilities: NO_EXCHANGE_OPTIONS,
    });
    const frame = decodeFrame(data);
    assert(typeof frame !== "string" && frame.kind === "authenticated");
    this.exchange.handle(frame, options.route ?? RELAY, now);
  }

  drops(reason: string): number {
    return this.stats.drops()[reason] ?? 0;
  }

  types(): string[] {
    return this.events.map(({ type }) => type);
  }

  #note(route: Route, data: Uint8Array): void {
    const frame = decodeFrame(data);
    this.sent.push(`${typeof frame === "string" ? frame : frame.kind} ${route.kind}`);
  }
}

Deno.test("key exchange: repeats on schedule, asks for the key from the third time on, and gives up", () => {
  const bench = new Bench();
  const { peer, exchange } = bench;
  exchange.start(peer, 0);
  exchange.start(peer, 0);
  assertEquals(bench.sent, ["authenticated relay"], "one exchange at a time");
  let now = 0;
  for (const [step, wait] of EXCHANGE_SCHEDULE_MS.entries()) {
    assertEquals(bench.scheduled, now + wait);
    now += wait;
    bench.sent.length = 0;
    exchange.due(peer, now);
    if (step + 1 >= EXCHANGE_SCHEDULE_MS.length) break;
    const withRequest = ["authenticated relay", "unauthenticated relay"];
    assertEquals(bench.sent, withRequest.slice(0, step + 1 >= KEY_REQUEST_FROM ? 2 : 1), `step ${step}`);
  }
  assertEquals(bench.sent, []);
  assertEquals(bench.types(), ["need_endpoint", "unreachable"]);
  assertEquals(peer.attempt, undefined);
});

Deno.test("key exchange: a new key is answered once and ends the exchange, an answer is not answered", () => {
  for (const answer of [false, true]) {
    const bench = new Bench();
    bench.exchange.start(bench.peer, 0);
    bench.sent.length = 0;
    bench.hear(10, { answer });
    assertEquals(bench.sent, answer ? [] : ["authenticated relay"]);
    assertEquals(bench.types(), ["need_endpoint", "established"]);
    assertEquals([bench.peer.hasSession, bench.peer.attempt, bench.scheduled], [true, undefined, undefined]);
  }
});

Deno.test("key exchange: a repeated announcement is answered only while the peer seems not to hear us", () => {
  const bench = new Bench();
  const key = generateExchangeKey(bench.random);
  bench.hear(0, { key });
  bench.sent.length = 0;
  bench.hear(100, { key });
  assertEquals(bench.sent, [], "a duplicate");
  bench.hear(1_000, { key });
  assertEquals(bench.sent, ["authenticated relay"]);
  bench.hear(1_300, { key });
  assertEquals(bench.sent.length, 1, "not twice within half a second");
  bench.peer.openedAt = 1_900;
  bench.hear(2_000, { key });
  assertEquals(bench.sent.length, 1, "its frames open, so it has our key");
});

Deno.test("key exchange: what is said to somebody else, signed by somebody else or altered is not believed", () => {
  const bench = new Bench();
  bench.hear(0, { receiver: US + 1 });
  assertEquals(bench.drops("exchange_receiver"), 1);
  bench.known = generateIdentity(bench.random).publicKey;
  bench.hear(1_000);
  assertEquals(bench.drops("identity_mismatch"), 1);
  assertEquals(bench.types(), ["identity_mismatch"]);
  assertEquals([bench.sent, bench.peers.size], [[], 0]);
});

Deno.test("key exchange: an older announcement of a peer that is alive is a replay", () => {
  const bench = new Bench();
  bench.hear(1_000, { time: EPOCH + 1_000 });
  bench.peer.openedAt = 1_500;
  bench.hear(2_000, { time: EPOCH + 500 });
  assertEquals(bench.drops("exchange_replay"), 1);
  bench.peer.openedAt = -100_000;
  bench.hear(3_000, { time: EPOCH + 500 });
  assertEquals(bench.drops("exchange_replay"), 1, "a silent peer's clock may have been set back");
});

Deno.test("key exchange: a frame of an unknown identity waits for it, and strangers get nothing", () => {
  const bench = new Bench();
  bench.known = undefined;
  bench.hear(0);
  assertEquals([bench.types(), bench.sent], [["need_identity"], []]);
  bench.exchange.handleIdentity(THEM, bench.them.publicKey, 5);
  assertEquals(bench.types(), ["need_identity", "established"]);
  bench.hear(1_000);
  bench.exchange.handleIdentity(THEM, undefined, 1_005);
  assertEquals(bench.drops("identity_unknown"), 1);
  bench.sent.length = 0;
  bench.mayExchange = false;
  bench.hear(2_000);
  bench.exchange.handleKeyRequest(THEM, RELAY, 2_000);
  bench.exchange.handleUndecryptable(THEM, RELAY, 2_000);
  assertEquals([bench.drops("stranger"), bench.sent], [2, []]);
});

Deno.test("key exchange: requests and frames that do not open are answered at a bounded rate", () => {
  const bench = new Bench();
  for (let now = 0; now < 10_000; now += 100) bench.exchange.handleUndecryptable(THEM, RELAY, now);
  assertEquals(bench.sent.length, Math.ceil(10_000 / REKEY_REQUEST_GAP_MS));
  bench.sent.length = 0;
  for (let now = 20_000; now < 30_000; now += 10) bench.exchange.handleKeyRequest(THEM, RELAY, now);
  assert(bench.sent.length >= 10 && bench.sent.length <= 21, `${bench.sent.length} answers in 10 s`);
});

Deno.test("key exchange: one source cannot make us look at many signatures", () => {
  const bench = new Bench();
  const route: Route = { kind: "direct", endpoint: { host: "198.51.100.1", port: 1 } };
  for (let n = 0; n < 100; n++) bench.hear(n, { route });
  assert(bench.drops("exchange_flood") >= 85, `${bench.drops("exchange_flood")}`);
});
