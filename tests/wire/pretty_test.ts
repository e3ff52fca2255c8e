import { assert, assertEquals } from "../assert.ts";
import { fromHex } from "../../lib/wire/bytes.ts";
import { describeDatagram } from "../../lib/wire/pretty.ts";
import { fuzz } from "./fuzz.ts";
import { vectors } from "./vectors.ts";

const syn = "11010000000000000001000000000002c00003e800000000000000000200145ed874";
const sack = "1201001500000000000200000000000103e8c00000000001000000010200d949404e" +
  "5341434b0200001001000020010000300100004001";

Deno.test("pretty: one line for each kind of datagram", () => {
  const lines: readonly [string, string][] = [
    [
      `50494c54 ${syn}`,
      "PILT SYN 0:0000.0000.0001:49152 > 0:0000.0000.0002:1000 seq=0 ack=0 win=512 len=0",
    ],
    [
      `50494c54 ${sack}`,
      "PILT ACK 0:0000.0000.0002:1000 > 0:0000.0000.0001:49152 seq=1 ack=1 win=512 len=21 sack=4097-8193 sack=12289-16385",
    ],
    [
      "50494c54 10020002000000000001000000000002c001138800000000000000000000a00f9fbf6869",
      "PILT datagram 0:0000.0000.0001:49153 > 0:0000.0000.0002:5000 len=2",
    ],
    [
      "50494c54 120300040000000000020000000000010000c002000000070000000800006d424b7070696e67",
      "PILT control ACK 0:0000.0000.0002:0 > 0:0000.0000.0001:49154 seq=7 ack=8 len=4",
    ],
    [vectors.sealed[0]?.frame ?? "", "PILS from 10744465 prefix=a1b2c3d4 counter=1 len=55"],
    [vectors.key_exchange.pila, "PILA from 10744465 key=49d50316"],
    [`${vectors.key_exchange.pila}ffff`, "PILA from 10744465 key=49d50316 trailer=2"],
    [vectors.key_exchange.pilk, "PILK from 10744465 key=49d50316"],
    ["50494c50", "PILP"],
    ["0100000001", "discover node=1"],
    ["0204cb0071079c40 00", "discover_reply 203.0.113.7:40000 trailer=1"],
    ["030000000100000002", "punch_request 1 > 2"],
    [`0b00 0102030405060708 0000 ${"00".repeat(52)}`, "examine from here"],
    [`0b03 0102030405060708 9c40 ${"00".repeat(52)}`, "examine from other address and port to port 40000"],
    ["0b00", "2 bytes, no examine: short"],
    [
      "0c02 0102030405060708 04 ca027203 9946 0000 00",
      "examine_reply from other port seen 203.0.113.7:40000",
    ],
    ["0c01", "2 bytes, no examine_reply: short"],
    ["0410 20010db8000000000000000000000007 9c40", "punch_command [2001:db8::7]:40000"],
    [
      `050000000100000002 50494c54 ${syn}`,
      "relay 1 > 2: PILT SYN 0:0000.0000.0001:49152 > 0:0000.0000.0002:1000 seq=0 ack=0 win=512 len=0",
    ],
    ["0600000001 50494c50", "relay_deliver from 1: PILP"],
    ["090000000100000002 50494c50", "relay_deliver_dest 1 > 2: PILP"],
    ["07000000020003 00000064000000c80000012c", "sync beacon=2 nodes=3"],
    ["0a01", "notify reason=1"],
    ["", "0 bytes, no frame: short"],
    ["50494c46", "4 bytes, no frame: magic"],
    ["0f", "1 bytes, no beacon message: type"],
    [`50494c54 ${"00".repeat(34)}`, "PILT no packet: checksum"],
  ];
  for (const [hex, line] of lines) assertEquals(describeDatagram(fromHex(hex)), line);
});

Deno.test("pretty: never throws, always one line", () => {
  const refused = (result: unknown) => {
    assert(typeof result === "string" && !result.includes("\n"));
    return false;
  };
  const valid = [
    `50494c54 ${syn}`,
    `0600000001 50494c54 ${sack}`,
    vectors.key_exchange.pila,
    "0204cb0071079c40",
  ];
  fuzz(describeDatagram, { valid: valid.map(fromHex), refused, shortest: () => 0 });
});
