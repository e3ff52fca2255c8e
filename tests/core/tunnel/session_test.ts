import { FrameSlab } from "../../../lib/core/tunnel/frame_slab.ts";
import { Session } from "../../../lib/core/tunnel/session.ts";
import { nobleAead } from "../../../lib/crypto/aead.ts";
import type { Dialect } from "../../../lib/crypto/exchange.ts";
import { NO_EXCHANGE_OPTIONS } from "../../../lib/wire/exchange_options.ts";
import { decodePacket, HEADER_SIZE, type Packet, Protocol } from "../../../lib/wire/packet.ts";
import { decodeFrame, type SealedFrame } from "../../../lib/wire/tunnel.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SeededRandom } from "../../sim/random.ts";

const random = new SeededRandom(1);
const SHARED = random.bytes(new Uint8Array(32));
const COPY = { inPlace: false } as const;
const IN_PLACE = { inPlace: true } as const;

function makeSession(
  self: number,
  options: { dialect?: Dialect; noChecksum?: boolean; slab?: FrameSlab } = {},
): Session {
  return new Session({
    self,
    peer: 3 - self,
    peerKey: new Uint8Array(32),
    peerOptions: { ...NO_EXCHANGE_OPTIONS, noChecksum: options.noChecksum ?? false },
    shared: SHARED,
    aead: nobleAead,
    random: random.bytes,
    slab: options.slab ?? new FrameSlab(),
    now: 0,
    firstCounter: 1n,
    dialect: options.dialect ?? "current",
  });
}

function packet(payload: Uint8Array): Packet {
  return {
    version: 1,
    flags: 2,
    protocol: Protocol.STREAM,
    source: { network: 0, node: 1 },
    sourcePort: 50_000,
    destination: { network: 0, node: 2 },
    destinationPort: 1_000,
    sequence: 17,
    acknowledgement: 4,
    window: 512,
    payload,
  };
}

function parse(data: Uint8Array): SealedFrame {
  const frame = decodeFrame(data);
  assert(typeof frame !== "string" && frame.kind === "sealed");
  return frame;
}

/** What `to` reads in a datagram. */
function read(to: Session, data: Uint8Array, how: { inPlace: boolean } = COPY): Packet | string {
  const opened = to.open(parse(data), 5, how);
  return typeof opened === "string" ? opened : decodePacket(opened.plaintext, { zeroMeansNone: true });
}

Deno.test("session: packets of every size, opened in place or not, are what was sealed", () => {
  const [a, b] = [makeSession(1), makeSession(2)];
  for (const size of [0, 1, 1_152, 1_400, 16_384, 65_000]) {
    for (const how of [COPY, IN_PLACE]) {
      const sent = packet(random.bytes(new Uint8Array(size)));
      const data = a.seal(sent);
      assertEquals(data.length, 70 + size);
      const before = data.slice();
      assertEquals(read(b, data, how), sent);
      if (!how.inPlace) assertEquals(data, before, "the frame was written to");
    }
  }
});

Deno.test("session: frames do not share memory", () => {
  const [a, b] = [makeSession(1), makeSession(2)];
  const sent = Array.from({ length: 200 }, (_, n) => packet(new Uint8Array(n * 13).fill(n)));
  const frames = sent.map((each) => a.seal(each));
  frames.forEach((frame, n) => assertEquals(read(b, frame, IN_PLACE), sent[n], `frame ${n}`));
});

Deno.test("session: a padded frame has the size asked for and means the same", () => {
  const [a, b] = [makeSession(1), makeSession(2)];
  const sent = packet(new Uint8Array(12).fill(1));
  for (const size of [1, 82, 1_222, 1_472, 16_454]) {
    const data = a.seal(sent, size);
    assertEquals(data.length, Math.max(82, size));
    assertEquals(read(b, data, IN_PLACE), sent);
  }
});

Deno.test("session: padding is empty also in memory that is used again", () => {
  const slab = new FrameSlab();
  const [a, b] = [makeSession(1, { slab }), makeSession(2)];
  a.seal(packet(new Uint8Array(20_000).fill(7)));
  slab.reuse();
  const opened = b.open(parse(a.seal(packet(new Uint8Array(12)), 15_000)), 0, COPY);
  assert(typeof opened !== "string");
  assert(opened.plaintext.subarray(HEADER_SIZE).every((byte) => byte === 0));
});

Deno.test("session: the checksum is left out only for peers that said so", () => {
  for (const noChecksum of [false, true]) {
    const [a, b] = [makeSession(1, { noChecksum }), makeSession(2)];
    const opened = b.open(parse(a.seal(packet(new Uint8Array(100).fill(9)))), 0, COPY);
    assert(typeof opened !== "string");
    assertEquals(typeof decodePacket(opened.plaintext) === "string", noChecksum);
    assert(typeof decodePacket(opened.plaintext, { zeroMeansNone: true }) !== "string");
  }
});

Deno.test("session: one altered bit anywhere, or another sender, does not open and changes nothing", () => {
  const [a, b] = [makeSession(1), makeSession(2)];
  const sent = packet(new Uint8Array(20).fill(5));
  assertEquals(read(b, a.seal(sent), IN_PLACE), sent);
  for (const how of [COPY, IN_PLACE]) {
    const data = a.seal(sent);
    for (let bit = 8 * 8; bit < 8 * data.length; bit++) {
      const copy = data.slice();
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assertEquals(read(b, copy, how), "undecryptable", `bit ${bit}`);
    }
    assertEquals(read(b, data, how), sent);
  }
  assertEquals(read(a, a.seal(sent)), "undecryptable", "reflected to its sender");
});

Deno.test("session: a frame opens once, in any order", () => {
  const [a, b] = [makeSession(1), makeSession(2)];
  const frames = Array.from({ length: 50 }, (_, n) => a.seal({ ...packet(new Uint8Array(1)), sequence: n }));
  for (const frame of frames.toReversed()) assert(typeof read(b, frame.slice()) !== "string");
  for (const frame of frames) assertEquals(read(b, frame.slice(), IN_PLACE), "replay");
});

Deno.test("session: the dialect of the peer is found out, answered in, and kept", () => {
  const [a, b] = [makeSession(1, { dialect: "v0.5" }), makeSession(2)];
  assertEquals([b.isProven, b.dialect], [false, undefined]);
  const sent = packet(new Uint8Array(3));
  assertEquals(read(b, a.seal(sent)), sent);
  assertEquals([b.isProven, b.dialect, b.lastOpened], [true, "v0.5", 5]);
  const answer = { ...sent, sequence: 99 };
  assertEquals(read(a, b.seal(answer)), answer);
  assertEquals(read(b, makeSession(1, { dialect: "current" }).seal(sent)), "undecryptable");
});

Deno.test("session: the two ends never use one nonce", () => {
  for (let round = 0; round < 200; round++) {
    const [a, b] = [makeSession(1), makeSession(2)];
    const top = (data: Uint8Array) => (data[8] ?? 0) >> 7;
    assertEquals([top(a.seal(packet(new Uint8Array(0)))), top(b.seal(packet(new Uint8Array(0))))], [0, 1]);
  }
});

Deno.test("session: a frame of ours that is sent back does not open, in either dialect", () => {
  for (const dialect of ["current", "v0.5"] as const) {
    for (const how of [COPY, IN_PLACE]) {
      const session = makeSession(1, { dialect });
      const data = session.seal(packet(random.bytes(new Uint8Array(100))));
      assertEquals(read(session, data, how), "undecryptable");
      assertEquals(session.isProven, false);
    }
  }
});
