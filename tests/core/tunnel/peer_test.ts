import { FrameSlab } from "../../../lib/core/tunnel/frame_slab.ts";
import { Peer } from "../../../lib/core/tunnel/peer.ts";
import { BASE_DATAGRAM } from "../../../lib/core/tunnel/pmtu.ts";
import { CANDIDATE_SESSION_MS, PENDING_PACKETS, RETIRED_SESSION_MS } from "../../../lib/core/constants.ts";
import { OWN_PROFILE } from "../../../lib/core/stream/profile.ts";
import { nobleAead } from "../../../lib/crypto/aead.ts";
import { NO_EXCHANGE_OPTIONS } from "../../../lib/wire/exchange_options.ts";
import type { Packet } from "../../../lib/wire/packet.ts";
import { decodeFrame } from "../../../lib/wire/tunnel.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SeededRandom } from "../../sim/random.ts";

const OURS = { transport: OWN_PROFILE, noChecksum: false, candidates: false };
const random = new SeededRandom(11);

function makePeer(self: number): Peer {
  return new Peer(3 - self, {
    self: () => self,
    aead: nobleAead,
    random: random.bytes,
    unixTime: (now) => 1_800_000_000_000 + now,
    slab: new FrameSlab(),
    ceiling: () => BASE_DATAGRAM,
  }, 0);
}

function packet(sequence: number): Packet {
  return {
    version: 1,
    flags: 2,
    protocol: 1,
    source: { network: 0, node: 1 },
    sourcePort: 50_000,
    destination: { network: 0, node: 2 },
    destinationPort: 1_000,
    sequence,
    acknowledgement: 0,
    window: 1,
    payload: new Uint8Array(8),
  };
}

/** Two ends that have each other's key. */
function makePair(): [a: Peer, b: Peer] {
  const [a, b] = [makePeer(1), makePeer(2)];
  assertEquals(a.install(b.ownKey.publicKey, OURS, 0), "new");
  assertEquals(b.install(a.ownKey.publicKey, OURS, 0), "new");
  return [a, b];
}

/** Whether `to` can open what `from` seals. */
function hears(from: Peer, to: Peer, now = 1): boolean {
  const data = from.seal(packet(1));
  assert(data !== undefined);
  return opens(to, data, now);
}

function opens(to: Peer, data: Uint8Array, now: number): boolean {
  const frame = decodeFrame(data.slice());
  assert(typeof frame !== "string" && frame.kind === "sealed");
  return typeof to.open(frame, now) !== "string";
}

Deno.test("peer: without a key nothing is sealed, with the peer's key both hear each other", () => {
  const peer = makePeer(1);
  assertEquals([peer.hasSession, peer.seal(packet(1))], [false, undefined]);
  const [a, b] = makePair();
  assertEquals([a.hasSession, a.isProven], [true, false]);
  assert(hears(b, a) && hears(a, b));
  assertEquals([a.isProven, a.openedAt, a.sentSinceOpened], [true, 1, 0]);
});

Deno.test("peer: the same key again is nothing new, and what is no key is refused", () => {
  const [a, b] = makePair();
  assertEquals(a.install(b.ownKey.publicKey, OURS, 5), "same");
  assertEquals(makePeer(1).install(new Uint8Array(32), OURS, 0), "invalid");
  assertEquals(makePeer(1).install(new Uint8Array(31), OURS, 0), "invalid");
});

Deno.test("peer: a changed key takes over only when a frame opens under it, and frames go out under both until then", () => {
  const [a, b] = makePair();
  assert(hears(b, a));
  const restarted = makePeer(2);
  assertEquals(a.install(restarted.ownKey.publicKey, OURS, 10), "new");
  restarted.install(a.ownKey.publicKey, OURS, 10);
  assert(hears(b, a, 11), "the key in use works on");
  const both = [a.seal(packet(2)), a.sealUnderCandidate(packet(2), 12)];
  assert(both[0] !== undefined && both[1] !== undefined);
  assert(opens(b, both[0], 12) && opens(restarted, both[1], 12));
  assert(hears(restarted, a, 13));
  assertEquals(a.sealUnderCandidate(packet(3), 14), undefined);
  assert(hears(a, restarted, 15));
  assert(hears(b, a, 13 + RETIRED_SESSION_MS - 1), "late frames under the old key");
  assertEquals(hears(b, a, 13 + RETIRED_SESSION_MS), false);
  assertEquals(a.install(b.ownKey.publicKey, OURS, 20), "retired");
});

Deno.test("peer: a candidate that proves nothing is forgotten", () => {
  const [a] = makePair();
  a.install(makePeer(2).ownKey.publicKey, OURS, 10);
  assert(a.sealUnderCandidate(packet(1), 10 + CANDIDATE_SESSION_MS) !== undefined);
  assertEquals(a.sealUnderCandidate(packet(1), 11 + CANDIDATE_SESSION_MS), undefined);
});

Deno.test("peer: what it can take belongs to the key in use, not to one that has proven nothing", () => {
  const [a, b] = makePair();
  assert(hears(b, a));
  const restarted = makePeer(2);
  a.install(restarted.ownKey.publicKey, NO_EXCHANGE_OPTIONS, 10);
  assertEquals(a.transport, OWN_PROFILE);
  restarted.install(a.ownKey.publicKey, OURS, 10);
  assert(hears(restarted, a, 11));
  assertEquals(a.transport, undefined);
});

Deno.test("peer: waiting packets are bounded, the newest stay, in order", () => {
  const peer = makePeer(1);
  for (let n = 0; n < 3 * PENDING_PACKETS; n++) peer.queue(packet(n));
  assertEquals(peer.pendingCount, PENDING_PACKETS);
  const taken = peer.takePending().map(({ sequence }) => sequence);
  assertEquals(taken, Array.from({ length: PENDING_PACKETS }, (_, n) => 2 * PENDING_PACKETS + n));
  assertEquals(peer.pendingCount, 0);
});

Deno.test("peer: forgotten keys are gone, and the next own key is another one", () => {
  const [a, b] = makePair();
  const before = a.ownKey.publicKey;
  a.forgetKeys();
  assertEquals([a.hasSession, a.isProven, a.seal(packet(1))], [false, false, undefined]);
  const data = b.seal(packet(1));
  assert(data !== undefined);
  assertEquals(opens(a, data, 1), false);
  assert(a.ownKey.publicKey.some((byte, at) => byte !== before[at]));
});
