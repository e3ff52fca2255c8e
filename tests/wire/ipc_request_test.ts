import { assert, assertEquals, assertThrows } from "../assert.ts";
import { encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { encodeLengthPrefixed } from "../../lib/wire/framing.ts";
import { Command, decodeIpcRequest, encodeIpcRequest, type IpcRequest } from "../../lib/wire/ipc.ts";
import { fuzz } from "./fuzz.ts";

const peer = { network: 0, node: 2 };

/** The published examples, complete with their length. */
const golden: readonly [string, IpcRequest][] = [
  ["00000003 01 03E8", { kind: "bind", port: 1000 }],
  ["00000009 03 000000000002 03E8", { kind: "dial", address: peer, port: 1000 }],
  ["0000000A 06 00000007 68656C6C6F", { kind: "send", connection: 7, data: encodeUtf8("hello") }],
  ["00000005 08 00000007", { kind: "close", connection: 7 }],
  ["0000000B 0B 000000000002 1388 6467", {
    kind: "sendto",
    address: peer,
    port: 5000,
    data: encodeUtf8("dg"),
  }],
  ["00000013 0F 01 00000007 636F6C6C61626F72617465203F", {
    kind: "handshake_send",
    node: 7,
    justification: "collaborate ?",
  }],
  ["00000006 0F 02 00000005", { kind: "handshake_approve", node: 5 }],
  ["0000000A 0F 03 00000005 6E6F7065", { kind: "handshake_reject", node: 5, reason: "nope" }],
  ["00000002 0F 04", { kind: "handshake_pending" }],
  ["00000002 0F 05", { kind: "handshake_trusted" }],
  ["00000006 0F 06 00000005", { kind: "handshake_revoke", node: 5 }],
];

/** One of each other request. */
const others: readonly [string, IpcRequest][] = [
  ["0d", { kind: "info" }],
  ["0f 07 00000005 00007530", { kind: "handshake_wait", node: 5, milliseconds: 30000 }],
  ["11 616c706861", { kind: "resolve_hostname", hostname: "alpha" }],
  ["13 616c706861", { kind: "set_hostname", hostname: "alpha" }],
  ["13", { kind: "set_hostname", hostname: "" }],
  ["15 01", { kind: "set_visibility", public: true }],
  ["15 00", { kind: "set_visibility", public: false }],
  ["17", { kind: "deregister" }],
  ["19 5b2261222c2262225d", { kind: "set_tags", tags: ["a", "b"] }],
  ["19 5b5d", { kind: "set_tags", tags: [] }],
  ["1b 687474703a2f2f78", { kind: "set_webhook", url: "http://x" }],
  ["1b", { kind: "set_webhook", url: "" }],
  ["1d 01", { kind: "set_task_exec", enabled: true }],
  ["1d 00", { kind: "set_task_exec", enabled: false }],
  ["21", { kind: "health" }],
  ["2b", { kind: "cancel" }],
  ["2d 00000005", { kind: "prefer_direct", node: 5 }],
  ["37 03e8", { kind: "unbind", port: 1000 }],
  ["41", { kind: "subscribe" }],
  ["43", { kind: "paths" }],
  ["43 00000005", { kind: "paths", node: 5 }],
  ["45", { kind: "doctor" }],
  ["47 00000005", { kind: "trace", node: 5 }],
  ["47 00000005 03", { kind: "trace", node: 5, rounds: 3 }],
  ["39 000000000002 1388 6467", {
    kind: "sendto_confirm",
    address: peer,
    port: 5000,
    data: encodeUtf8("dg"),
  }],
];

Deno.test("ipc request: published examples both ways", () => {
  for (const [hex, request] of golden) {
    const whole = fromHex(hex);
    assertEquals(toHex(encodeLengthPrefixed(encodeIpcRequest(request))), toHex(whole));
    assertEquals(decodeIpcRequest(whole.subarray(4)), request);
  }
});

Deno.test("ipc request: every other request both ways", () => {
  for (const [hex, request] of others) {
    assertEquals(toHex(encodeIpcRequest(request)), toHex(fromHex(hex)));
    assertEquals(decodeIpcRequest(fromHex(hex)), request);
  }
});

Deno.test("ipc request: the error texts that programs match on", () => {
  const texts: readonly [string, string][] = [
    ["7f", "unknown command: 0x7F"],
    ["00", "unknown command: 0x00"],
    ["02 03e8", "unknown command: 0x02"],
    ["0a", "unknown command: 0x0A"],
    ["1f01", "unknown command: 0x1F"],
    ["25", "unknown command: 0x25"],
    ["29", "unknown command: 0x29"],
    ["01", "bind: missing port"],
    ["01 03", "bind: missing port"],
    ["03 000000000002 03", "dial: missing address/port"],
    ["06 000000", "send: missing conn_id"],
    ["08", "close: missing conn_id"],
    ["0b 000000000002 13", "sendto: missing address/port"],
    ["39", "sendto: missing address/port"],
    ["0f", "handshake: missing sub-command"],
    ["0f 09", "handshake: unknown sub-command 0x09"],
    ["0f ff", "handshake: unknown sub-command 0xFF"],
    ["0f 01 000000", "handshake request: missing node_id"],
    ["0f 02", "handshake approve: missing node_id"],
    ["0f 03 00", "handshake reject: missing node_id"],
    ["0f 06", "handshake revoke: missing node_id"],
    ["0f 07", "handshake wait: missing node_id"],
    ["11", "resolve_hostname: missing hostname"],
    ["15", "set_visibility: missing value"],
    ["1d", "set_task_exec: missing value"],
    ["19 5b2261222c2262222c2263222c2264225d", "set_tags: maximum 3 tags allowed"],
    ["37", "unbind: missing port"],
  ];
  for (const [hex, text] of texts) {
    assertEquals(decodeIpcRequest(fromHex(hex)), { kind: "invalid", text }, hex);
  }
});

Deno.test("ipc request: an empty message needs no answer", () => {
  assertEquals(decodeIpcRequest(new Uint8Array(0)), { kind: "invalid", text: "" });
});

Deno.test("ipc request: tags are a JSON array of strings", () => {
  const tags = (text: string) => decodeIpcRequest(Uint8Array.of(Command.SET_TAGS, ...encodeUtf8(text)));
  assertEquals(tags("null"), { kind: "set_tags", tags: [] });
  assertEquals(tags(' ["#a"] '), { kind: "set_tags", tags: ["#a"] });
  for (const wrong of ["", "{}", "[1]", '["a",null]', '"a"', '["a"', "[[]]"]) {
    const result = tags(wrong);
    assert(result.kind === "invalid" && result.text.startsWith("set_tags: invalid JSON: "), wrong);
  }
});

Deno.test("ipc request: surplus bytes after fixed fields are ignored, any value but 1 is off", () => {
  assertEquals(decodeIpcRequest(fromHex("01 03e8 ffff")), { kind: "bind", port: 1000 });
  assertEquals(decodeIpcRequest(fromHex("03 000000000002 03e8 ff")), {
    kind: "dial",
    address: peer,
    port: 1000,
  });
  assertEquals(decodeIpcRequest(fromHex("08 00000007 01")), { kind: "close", connection: 7 });
  assertEquals(decodeIpcRequest(fromHex("0d ff")), { kind: "info" });
  assertEquals(decodeIpcRequest(fromHex("0f 02 00000005 ff")), { kind: "handshake_approve", node: 5 });
  assertEquals(decodeIpcRequest(fromHex("15 02")), { kind: "set_visibility", public: false });
  assertEquals(decodeIpcRequest(fromHex("1d ff 01")), { kind: "set_task_exec", enabled: false });
});

Deno.test("ipc request: a field that does not fit is misuse", () => {
  assertThrows(() => encodeIpcRequest({ kind: "bind", port: 65536 }), RangeError);
  assertThrows(() => encodeIpcRequest({ kind: "close", connection: -1 }), RangeError);
  assertThrows(
    () => encodeIpcRequest({ kind: "dial", address: { network: 0, node: 2 ** 32 }, port: 1 }),
    RangeError,
  );
});

Deno.test("ipc request: maltreated input", () => {
  const fixed = new Set([
    "bind",
    "unbind",
    "dial",
    "prefer_direct",
    "handshake_wait",
    "handshake_approve",
  ]);
  const all = [...golden.map(([hex]) => fromHex(hex).slice(4)), ...others.map(([hex]) => fromHex(hex))];
  const refused = (result: unknown) =>
    typeof result === "object" && result !== null && "kind" in result && result.kind === "invalid";
  fuzz(decodeIpcRequest, {
    valid: all.filter((message) => fixed.has(decodeIpcRequest(message).kind)),
    refused,
  });
  fuzz(decodeIpcRequest, {
    valid: all.filter((message) => !fixed.has(decodeIpcRequest(message).kind)),
    refused,
    seed: 2,
    shortest: shortestRequest,
    check(input) {
      const request = decodeIpcRequest(input);
      assert(request.kind !== "invalid");
      assertEquals(decodeIpcRequest(encodeIpcRequest(request)), request);
    },
  });
});

/** The bytes that a request with free text or data at its end needs. */
function shortestRequest(message: Uint8Array): number {
  switch (message[0]) {
    case Command.SEND:
    case Command.CLOSE:
    case Command.TRACE:
      return 5;
    case Command.SEND_TO:
    case Command.SEND_TO_CONFIRM:
      return 9;
    case Command.HANDSHAKE:
      return message.length < 6 ? 2 : 6;
    case Command.RESOLVE_HOSTNAME:
    case Command.SET_VISIBILITY:
    case Command.SET_TASK_EXEC:
      return 2;
    case Command.SET_TAGS:
      return message.length;
    default:
      return 1;
  }
}
