import { assert, assertEquals, assertThrows } from "../assert.ts";
import { encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { encodeLengthPrefixed } from "../../lib/wire/framing.ts";
import { Command, decodeIpcReply, encodeIpcReply, type IpcReply } from "../../lib/wire/ipc.ts";
import { fuzz } from "./fuzz.ts";

const remote = { network: 0, node: 1 };
const local = { network: 0, node: 9 };

/** The published examples, complete with their length. */
const golden: readonly [string, IpcReply][] = [
  ["00000003 02 03E8", { kind: "bind_ok", port: 1000 }],
  ["0000001A 0A 0001 706F7274203130303020616C726561647920626F756E64", {
    kind: "error",
    code: 1,
    text: "port 1000 already bound",
  }],
  ["00000005 04 00000007", { kind: "dial_ok", connection: 7 }],
  ["0000000F 05 03E8 00000009 000000000001 C000", {
    kind: "accept",
    port: 1000,
    connection: 9,
    remote,
    remotePort: 49152,
  }],
  ["00000005 09 00000007", { kind: "close_ok", connection: 7 }],
  ["0000000D 0C 000000000001 C001 1388 6467", {
    kind: "recv_from",
    source: remote,
    sourcePort: 49153,
    destinationPort: 5000,
    data: encodeUtf8("dg"),
  }],
];

const others: readonly [string, IpcReply][] = [
  ["04 00000007 000000000009 c000", {
    kind: "dial_ok",
    connection: 7,
    localAddress: local,
    localPort: 49152,
  }],
  ["05 03e8 00000009 000000000001 c000 000000000009", {
    kind: "accept",
    port: 1000,
    connection: 9,
    remote,
    remotePort: 49152,
    localAddress: local,
  }],
  ["07 00000007 6869", { kind: "recv", connection: 7, data: encodeUtf8("hi") }],
  ["09 00000007 02", { kind: "close_ok", connection: 7, reason: 2 }],
  ["0a 0007 78", { kind: "error", code: 7, text: "x" }],
  ["0e 7b7d", { kind: "json", command: Command.INFO_OK, text: "{}" }],
  ["10 7b7d", { kind: "json", command: Command.HANDSHAKE_OK, text: "{}" }],
  ["22 7b7d", { kind: "json", command: Command.HEALTH_OK, text: "{}" }],
  ["38 03e8", { kind: "unbind_ok", port: 1000 }],
  ["3a", { kind: "sendto_ok" }],
];

Deno.test("ipc reply: published examples both ways", () => {
  for (const [hex, reply] of golden) {
    const whole = fromHex(hex);
    assertEquals(toHex(encodeLengthPrefixed(encodeIpcReply(reply))), toHex(whole));
    assertEquals(decodeIpcReply(whole.subarray(4)), reply);
  }
});

Deno.test("ipc reply: the others and the extension tails both ways", () => {
  for (const [hex, reply] of others) {
    assertEquals(toHex(encodeIpcReply(reply)), toHex(fromHex(hex)));
    assertEquals(decodeIpcReply(fromHex(hex)), reply);
  }
});

Deno.test("ipc reply: an unfinished tail is ignored", () => {
  assertEquals(decodeIpcReply(fromHex("04 00000007 000000000009 c0")), { kind: "dial_ok", connection: 7 });
  assertEquals(decodeIpcReply(fromHex("05 03e8 00000009 000000000001 c000 0000000000")), {
    kind: "accept",
    port: 1000,
    connection: 9,
    remote,
    remotePort: 49152,
  });
  assertEquals(decodeIpcReply(fromHex("02 03e8 ff")), { kind: "bind_ok", port: 1000 });
  const incomplete: IpcReply = { kind: "dial_ok", connection: 7, localAddress: local };
  assertEquals(toHex(encodeIpcReply(incomplete)), "0400000007");
});

Deno.test("ipc reply: requests and unknown codes are unknown", () => {
  assertEquals(decodeIpcReply(new Uint8Array(0)), "short");
  for (const hex of ["00", "01 03e8", "06", "0d", "2b", "3b", "ff"]) {
    assertEquals(decodeIpcReply(fromHex(hex)), "unknown", hex);
  }
  assertThrows(() => encodeIpcReply({ kind: "json", command: Command.RECV, text: "{}" }), RangeError);
  assertThrows(() => encodeIpcReply({ kind: "close_ok", connection: 1, reason: 256 }), RangeError);
  assertThrows(() => encodeIpcReply({ kind: "error", code: 65536, text: "" }), RangeError);
});

Deno.test("ipc reply: texts are UTF-8", () => {
  const error: IpcReply = {
    kind: "error",
    code: 1,
    text: "sendto: broadcast is not available — custom networks are WIP",
  };
  assert(toHex(encodeIpcReply(error)).includes("e28094"));
  assertEquals(decodeIpcReply(encodeIpcReply(error)), error);
});

Deno.test("ipc reply: maltreated input", () => {
  const shortest = [0, 0, 3, 0, 5, 15, 0, 5, 0, 5, 3, 0, 11];
  fuzz(decodeIpcReply, {
    valid: [...golden.map(([hex]) => fromHex(hex).slice(4)), ...others.map(([hex]) => fromHex(hex))],
    shortest: (message) => (message[0] === Command.UNBIND_OK ? 3 : shortest[message[0] ?? 0]) ?? 1,
    check(input) {
      const reply = decodeIpcReply(input);
      assert(typeof reply === "object");
      assertEquals(decodeIpcReply(encodeIpcReply(reply)), reply);
    },
  });
});
