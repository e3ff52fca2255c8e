import { cutPacket, isCuttable } from "../../../lib/core/tunnel/cut.ts";
import { concatBytes } from "../../../lib/wire/bytes.ts";
import { Flag, type Packet, Protocol } from "../../../lib/wire/packet.ts";
import { encodeSack, looksLikeSack } from "../../../lib/wire/sack.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SeededRandom } from "../../sim/random.ts";

function packet(change: Partial<Packet>): Packet {
  return {
    version: 1,
    flags: Flag.ACK,
    protocol: Protocol.STREAM,
    source: { network: 0, node: 1 },
    sourcePort: 50_000,
    destination: { network: 0, node: 2 },
    destinationPort: 1_000,
    sequence: 0xffff_f000,
    acknowledgement: 5,
    window: 512,
    payload: new Uint8Array(0),
    ...change,
  };
}

Deno.test("cut: the pieces are the packet, in order, across the wrap of sequence numbers", () => {
  const random = new SeededRandom(4);
  for (const length of [1, 1_152, 1_153, 9_000, 16_384]) {
    const whole = packet({ payload: random.bytes(new Uint8Array(length)) });
    const pieces = cutPacket(whole, 1_152);
    assertEquals(concatBytes(...pieces.map(({ payload }) => payload)), whole.payload);
    let sequence = whole.sequence;
    for (const piece of pieces) {
      assertEquals({ ...piece, payload: whole.payload, sequence: whole.sequence }, whole);
      assertEquals(piece.sequence, sequence);
      assert(piece.payload.length <= 1_152);
      sequence = (sequence + piece.payload.length) >>> 0;
    }
  }
});

Deno.test("cut: no piece looks like a selective acknowledgement", () => {
  const sack = encodeSack([{ left: 10, right: 20 }]);
  const payload = concatBytes(new Uint8Array(100).fill(1), sack, new Uint8Array(200).fill(2));
  const pieces = cutPacket(packet({ payload }), 100);
  assert(pieces.every((piece) => !looksLikeSack(piece.payload)));
  assertEquals(concatBytes(...pieces.map((piece) => piece.payload)), payload);
});

Deno.test("cut: only plain data of a stream can be cut", () => {
  const payload = new Uint8Array(2_000);
  assert(isCuttable(packet({ payload })));
  for (const flags of [Flag.SYN, Flag.SYN | Flag.ACK, Flag.FIN | Flag.ACK, Flag.RST]) {
    assertEquals(isCuttable(packet({ payload, flags })), false);
  }
  assertEquals(isCuttable(packet({ payload, protocol: Protocol.DATAGRAM, flags: Flag.ACK })), false);
  assertEquals(isCuttable(packet({ payload: encodeSack([{ left: 1, right: 2 }]) })), false);
});
