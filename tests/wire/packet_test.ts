import { assert, assertEquals, assertThrows } from "../assert.ts";
import { encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { crc32 } from "../../lib/wire/crc32.ts";
import {
  decodePacket,
  encodePacket,
  Flag,
  HEADER_SIZE,
  type Packet,
  Protocol,
  writePacket,
} from "../../lib/wire/packet.ts";
import { encodeSack } from "../../lib/wire/sack.ts";
import { viewOf } from "../../lib/wire/uint.ts";
import { SeededRandom } from "../sim/random.ts";
import { fuzz } from "./fuzz.ts";
import { vectors } from "./vectors.ts";

function packet(fields: Partial<Packet>): Packet {
  return {
    version: 1,
    flags: 0,
    protocol: Protocol.STREAM,
    source: { network: 0, node: 1 },
    sourcePort: 49152,
    destination: { network: 0, node: 2 },
    destinationPort: 1000,
    sequence: 0,
    acknowledgement: 0,
    window: 0,
    payload: new Uint8Array(0),
    ...fields,
  };
}

const answer: Partial<Packet> = {
  source: { network: 0, node: 2 },
  sourcePort: 1000,
  destination: { network: 0, node: 1 },
  destinationPort: 49152,
};

const hello = encodeUtf8("hello");

/** The published examples. */
const golden: readonly [string, Partial<Packet>, string][] = [
  [
    "SYN",
    { flags: Flag.SYN, window: 512 },
    "11010000000000000001000000000002c00003e800000000000000000200145ed874",
  ],
  [
    "SYN+ACK",
    { ...answer, flags: Flag.SYN | Flag.ACK, acknowledgement: 1, window: 512 },
    "1301000000000000000200000000000103e8c0000000000000000001020024f40f8e",
  ],
  [
    "ACK",
    { flags: Flag.ACK, sequence: 1, acknowledgement: 1, window: 512 },
    "12010000000000000001000000000002c00003e8000000010000000102001e21ff5a",
  ],
  [
    "data",
    { flags: Flag.ACK, sequence: 1, acknowledgement: 1, window: 512, payload: hello },
    "12010005000000000001000000000002c00003e800000001000000010200da58e81768656c6c6f",
  ],
  [
    "data, smaller window",
    { flags: Flag.ACK, sequence: 1, acknowledgement: 1, window: 502, payload: hello },
    "12010005000000000001000000000002c00003e8000000010000000101f65ee872c868656c6c6f",
  ],
  [
    "ACK of data",
    { ...answer, flags: Flag.ACK, sequence: 1, acknowledgement: 6, window: 512 },
    "1201000000000000000200000000000103e8c00000000001000000060200045fbff6",
  ],
  [
    "ACK with SACK blocks",
    {
      ...answer,
      flags: Flag.ACK,
      sequence: 1,
      acknowledgement: 1,
      window: 512,
      payload: encodeSack([{ left: 4097, right: 8193 }, { left: 12289, right: 16385 }]),
    },
    "1201001500000000000200000000000103e8c00000000001000000010200d949404e5341434b0200001001000020010000300100004001",
  ],
  [
    "keepalive",
    { flags: Flag.ACK, sequence: 6, acknowledgement: 1 },
    "12010000000000000001000000000002c00003e8000000060000000100007ad24bd2",
  ],
  [
    "FIN",
    { flags: Flag.FIN, sequence: 6 },
    "14010000000000000001000000000002c00003e80000000600000000000007a8a6d2",
  ],
  [
    "FIN+ACK",
    { ...answer, flags: Flag.FIN | Flag.ACK, sequence: 1, acknowledgement: 7 },
    "1601000000000000000200000000000103e8c000000000010000000700007de95191",
  ],
  [
    "ACK of FIN",
    { ...answer, flags: Flag.ACK, sequence: 1, acknowledgement: 7 },
    "1201000000000000000200000000000103e8c00000000001000000070000efe01549",
  ],
  [
    "RST",
    { ...answer, flags: Flag.RST },
    "1801000000000000000200000000000103e8c000000000000000000000005daed99a",
  ],
  [
    "datagram",
    { protocol: Protocol.DATAGRAM, sourcePort: 49153, destinationPort: 5000, payload: encodeUtf8("hi") },
    "10020002000000000001000000000002c001138800000000000000000000a00f9fbf6869",
  ],
  [
    "ping",
    {
      protocol: Protocol.CONTROL,
      sourcePort: 49154,
      destinationPort: 0,
      sequence: 7,
      payload: encodeUtf8("ping"),
    },
    "10030004000000000001000000000002c0020000000000070000000000008fd6805f70696e67",
  ],
  [
    "pong",
    {
      ...answer,
      protocol: Protocol.CONTROL,
      flags: Flag.ACK,
      sourcePort: 0,
      destinationPort: 49154,
      sequence: 7,
      acknowledgement: 8,
      payload: encodeUtf8("ping"),
    },
    "120300040000000000020000000000010000c002000000070000000800006d424b7070696e67",
  ],
];

Deno.test("packet: published examples both ways", () => {
  for (const [name, fields, hex] of golden) {
    assertEquals(toHex(encodePacket(packet(fields))), hex, name);
    assertEquals(decodePacket(fromHex(hex)), packet(fields), name);
  }
});

Deno.test("packet: vectors both ways", () => {
  assertEquals(vectors.packets.length, 40);
  for (const [i, vector] of vectors.packets.entries()) {
    const expected: Packet = {
      version: vector.version,
      flags: vector.flags,
      protocol: vector.protocol,
      source: vector.src,
      sourcePort: vector.src_port,
      destination: vector.dst,
      destinationPort: vector.dst_port,
      sequence: vector.seq,
      acknowledgement: vector.ack,
      window: vector.window,
      payload: fromHex(vector.payload),
    };
    assertEquals(decodePacket(fromHex(vector.bytes)), expected, `packet ${i}`);
    assertEquals(toHex(encodePacket(expected)), vector.bytes, `packet ${i}`);
  }
});

Deno.test("packet: random fields survive", () => {
  const random = new SeededRandom(41);
  for (let round = 0; round < 3000; round++) {
    const original = packet({
      flags: random.int(16),
      protocol: random.int(256),
      source: { network: random.int(65536), node: random.uint32() },
      sourcePort: random.int(65536),
      destination: { network: random.int(65536), node: random.uint32() },
      destinationPort: random.int(65536),
      sequence: random.uint32(),
      acknowledgement: random.uint32(),
      window: random.int(65536),
      payload: random.bytes(new Uint8Array(random.int(random.chance(0.05) ? 65536 : 200))),
    });
    assertEquals(decodePacket(encodePacket(original)), original, `seed 41 round ${round}`);
  }
});

Deno.test("packet: reasons", () => {
  const data = encodePacket(packet({ flags: Flag.ACK, payload: hello }));
  for (let length = 0; length < data.length; length++) {
    assertEquals(
      decodePacket(data.subarray(0, length)),
      length < HEADER_SIZE ? "short" : "length",
      `${length}`,
    );
  }
  for (let bit = 0; bit < 8 * data.length; bit++) {
    const broken = data.slice();
    broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const result = decodePacket(broken);
    assert(
      result === "checksum" || (result === "length" && bit >> 3 >= 2 && bit >> 3 <= 3),
      `bit ${bit}: ${result}`,
    );
  }
  for (let version = 0; version < 16; version++) {
    const result = decodePacket(encodePacket(packet({ version })));
    assertEquals(typeof result === "string" ? result : "ok", version === 1 ? "ok" : "version");
  }
});

Deno.test("packet: surplus bytes are ignored, payload is a view", () => {
  const data = fromHex(`${toHex(encodePacket(packet({ payload: hello })))} ff 00`);
  const decoded = decodePacket(data);
  assert(typeof decoded === "object");
  assertEquals(decoded.payload, hello);
  assertEquals(decoded.payload.buffer, data.buffer);
});

Deno.test("packet: a field that does not fit is misuse", () => {
  const wrong: Partial<Packet>[] = [
    { version: 16 },
    { flags: 16 },
    { flags: -1 },
    { protocol: 256 },
    { sourcePort: 65536 },
    { destinationPort: 1.5 },
    { sequence: 2 ** 32 },
    { acknowledgement: -1 },
    { window: NaN },
    { source: { network: 65536, node: 0 } },
    { destination: { network: 0, node: 2 ** 32 } },
    { payload: new Uint8Array(65536) },
  ];
  for (const fields of wrong) assertThrows(() => encodePacket(packet(fields)), RangeError);
  assertEquals(encodePacket(packet({ payload: new Uint8Array(65535) })).length, 65569);
});

Deno.test("packet: maltreated input gives a reason", () => {
  const valid = golden.map(([, , hex]) => fromHex(hex));
  const reencodes = (input: Uint8Array, result: unknown) => {
    assert(typeof result === "object" && result !== null);
    const decoded = decodePacket(input);
    assert(typeof decoded === "object");
    assertEquals(
      toHex(encodePacket(decoded)),
      toHex(input.subarray(0, HEADER_SIZE + decoded.payload.length)),
    );
  };
  fuzz(decodePacket, { valid, check: reencodes });
});

Deno.test("packet: maltreated input with a right checksum gives a value or a reason", () => {
  const valid = golden.map(([, , hex]) => fromHex(hex));
  const repaired = (data: Uint8Array) => {
    const copy = data.slice();
    if (copy.length >= HEADER_SIZE) {
      const end = HEADER_SIZE + viewOf(copy).getUint16(2);
      copy.fill(0, 30, 34);
      viewOf(copy).setUint32(30, crc32(copy.subarray(0, end)));
    }
    const result = decodePacket(copy);
    return typeof result === "string" ? result : encodePacket(result);
  };
  fuzz(repaired, { valid, seed: 2 });
});

Deno.test("packet: written into a larger buffer it is the same, and nothing around it changes", () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 200; round++) {
    const payload = random.bytes(new Uint8Array(random.int(3_000)));
    const sent = packet({ payload, sequence: random.int(2 ** 32), window: random.int(65_536) });
    const bytes = random.bytes(new Uint8Array(4_000));
    const before = bytes.slice();
    const offset = random.int(500);
    const length = writePacket(sent, { bytes, view: viewOf(bytes), offset, checksum: true });
    assertEquals(bytes.subarray(offset, offset + length), encodePacket(sent), `seed 7 round ${round}`);
    assertEquals(bytes.subarray(0, offset), before.subarray(0, offset));
    assertEquals(bytes.subarray(offset + length), before.subarray(offset + length));
  }
});

Deno.test("packet: a checksum of zero means none only where that is allowed", () => {
  const sent = packet({ payload: hello });
  const bytes = new Uint8Array(HEADER_SIZE + hello.length).fill(0xff);
  writePacket(sent, { bytes, view: viewOf(bytes), offset: 0, checksum: false });
  assertEquals(decodePacket(bytes), "checksum");
  assertEquals(decodePacket(bytes, { zeroMeansNone: false }), "checksum");
  assertEquals(decodePacket(bytes, { zeroMeansNone: true }), sent);
  viewOf(bytes).setUint32(30, 1);
  assertEquals(decodePacket(bytes, { zeroMeansNone: true }), "checksum");
  assertEquals(decodePacket(encodePacket(sent), { zeroMeansNone: true }), sent);
});

Deno.test("packet: one that does not fit the buffer is misuse", () => {
  const bytes = new Uint8Array(HEADER_SIZE + hello.length);
  assertThrows(
    () => writePacket(packet({ payload: hello }), { bytes, view: viewOf(bytes), offset: 1, checksum: true }),
    RangeError,
  );
});
