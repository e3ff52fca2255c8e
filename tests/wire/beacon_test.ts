import { assert, assertEquals, assertThrows } from "../assert.ts";
import { type BeaconMessage, decodeBeacon, encodeBeacon, MAX_SYNC_NODES } from "../../lib/wire/beacon.ts";
import { concatBytes, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { SeededRandom } from "../sim/random.ts";
import { fuzz } from "./fuzz.ts";

const none = new Uint8Array(0);
const plainSyn = fromHex("50494c54 11010000000000000001000000000002c00003e800000000000000000200145ed874");

/** The published examples, and one of each newer message. */
const golden: readonly [string, BeaconMessage][] = [
  ["0100000001", { kind: "discover", node: 1, trailer: none }],
  ["0204cb0071079c40", {
    kind: "discover_reply",
    endpoint: { host: "203.0.113.7", port: 40000 },
    trailer: none,
  }],
  ["021020010db80000000000000000000000079c40", {
    kind: "discover_reply",
    endpoint: { host: "2001:db8::7", port: 40000 },
    trailer: none,
  }],
  ["030000000100000002", { kind: "punch_request", requester: 1, target: 2, trailer: none }],
  ["0404c6336409c350", {
    kind: "punch_command",
    endpoint: { host: "198.51.100.9", port: 50000 },
    trailer: none,
  }],
  [`050000000100000002${toHex(plainSyn)}`, { kind: "relay", sender: 1, destination: 2, frame: plainSyn }],
  [`0600000001${toHex(plainSyn)}`, { kind: "relay_deliver", sender: 1, frame: plainSyn }],
  ["07000000020003 00000064 000000c8 0000012c", { kind: "sync", beacon: 2, nodes: [100, 200, 300] }],
  ["08fffffffe", { kind: "discover_ex", node: 0xfffffffe, trailer: none }],
  [`090000000100000002${toHex(plainSyn)}`, {
    kind: "relay_deliver_dest",
    sender: 1,
    destination: 2,
    frame: plainSyn,
  }],
  ["0a01", { kind: "notify", reason: 1 }],
  ["0d00000001000000020104c6336409c350", {
    kind: "mesh_punch",
    requester: 1,
    target: 2,
    hops: 1,
    from: { host: "198.51.100.9", port: 50000 },
    trailer: none,
  }],
];

Deno.test("beacon: examples both ways", () => {
  for (const [hex, message] of golden) {
    assertEquals(decodeBeacon(fromHex(hex)), message, hex);
    assertEquals(toHex(encodeBeacon(message)), toHex(fromHex(hex)), hex);
  }
});

Deno.test("beacon: trailers are kept where no frame follows", () => {
  const trailer = Uint8Array.of(7, 8, 9);
  for (const [hex, message] of golden) {
    const longer = concatBytes(fromHex(hex), trailer);
    const decoded = decodeBeacon(longer);
    if ("trailer" in message) {
      assertEquals(decoded, { ...message, trailer }, hex);
      assertEquals(encodeBeacon({ ...message, trailer }), longer, hex);
    } else if (!("frame" in message)) assertEquals(decoded, message, hex);
  }
  assertEquals(encodeBeacon({ kind: "discover", node: 1 }), fromHex("0100000001"));
});

Deno.test("beacon: relayed frames may be empty", () => {
  assertEquals(decodeBeacon(fromHex("050000000100000002")), {
    kind: "relay",
    sender: 1,
    destination: 2,
    frame: none,
  });
  assertEquals(decodeBeacon(fromHex("0600000001")), { kind: "relay_deliver", sender: 1, frame: none });
});

Deno.test("beacon: reasons", () => {
  assertEquals(decodeBeacon(none), "short");
  for (const hex of ["00", "0b00000000", "0f", "10", "50494c50"]) {
    assertEquals(decodeBeacon(fromHex(hex)), "type");
  }
  for (const hex of ["0205cb00710700009c40", "0200", "04ffcb00710700009c40", "0410"]) {
    const expected = hex.startsWith("0410") ? "short" : "address";
    assertEquals(decodeBeacon(fromHex(hex)), expected, hex);
  }
  assertEquals(decodeBeacon(fromHex("0700000002ffff00000064")), "short");
  assertEquals(decodeBeacon(fromHex("07000000020000")), { kind: "sync", beacon: 2, nodes: [] });
});

Deno.test("beacon: mapped addresses become IPv4", () => {
  const mapped = fromHex("0210 00000000000000000000ffff cb007107 9c40");
  const message = decodeBeacon(mapped);
  assert(typeof message === "object" && message.kind === "discover_reply");
  assertEquals(message.endpoint, { host: "203.0.113.7", port: 40000 });
  assertEquals(toHex(encodeBeacon(message)), "0204cb0071079c40");
});

Deno.test("beacon: a field that does not fit is misuse", () => {
  assertThrows(() => encodeBeacon({ kind: "discover", node: 2 ** 32 }), RangeError);
  assertThrows(() => encodeBeacon({ kind: "notify", reason: 256 }), RangeError);
  assertThrows(
    () => encodeBeacon({ kind: "discover_reply", endpoint: { host: "example.com", port: 1 } }),
    RangeError,
  );
  assertThrows(
    () => encodeBeacon({ kind: "punch_command", endpoint: { host: "1.2.3.4", port: 65536 } }),
    RangeError,
  );
  assertThrows(() => encodeBeacon({ kind: "sync", beacon: 1, nodes: [-1] }), RangeError);
  const most = Array.from({ length: MAX_SYNC_NODES }, (_, i) => i);
  assertEquals(encodeBeacon({ kind: "sync", beacon: 1, nodes: most }).length, 65507);
  assertThrows(() => encodeBeacon({ kind: "sync", beacon: 1, nodes: [...most, 0] }), RangeError);
});

Deno.test("beacon: long node lists survive", () => {
  const random = new SeededRandom(51);
  const nodes = Array.from({ length: MAX_SYNC_NODES }, () => random.uint32());
  assertEquals(decodeBeacon(encodeBeacon({ kind: "sync", beacon: 9, nodes })), {
    kind: "sync",
    beacon: 9,
    nodes,
  });
});

Deno.test("beacon: maltreated input", () => {
  fuzz(decodeBeacon, {
    valid: golden.map(([hex]) => fromHex(hex)),
    shortest: (frame) => frame[0] === 5 || frame[0] === 9 ? 9 : frame[0] === 6 ? 5 : frame.length,
    check(input) {
      const message = decodeBeacon(input);
      assert(typeof message === "object");
      const bytes = encodeBeacon(message);
      assertEquals(decodeBeacon(bytes), message);
      const mapped = "endpoint" in message && input[1] === 16 && bytes[1] === 4;
      if (!mapped) assertEquals(toHex(bytes), toHex(input.subarray(0, bytes.length)));
    },
  });
});
