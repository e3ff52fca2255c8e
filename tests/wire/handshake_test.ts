import { assert, assertEquals, assertThrows } from "../assert.ts";
import { encodeUtf8 } from "../../lib/wire/bytes.ts";
import {
  encodeHandshake,
  handshakeChallenge,
  type HandshakeDocument,
  MAX_HANDSHAKE_DOCUMENT,
  parseHandshake,
} from "../../lib/wire/handshake.ts";
import { fuzz } from "./fuzz.ts";

const request: HandshakeDocument = {
  type: "handshake_request",
  node_id: 5,
  public_key: "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
  justification: "want to collaborate",
  signature: "yBdocyty6OCYiqjxKHmuTjtmWlXQHis/nxx75nh15dpUh7jYWbewByE/j9tcKdhDKZv5bD7TnHN196WCDGYVBw==",
  reason: "",
  timestamp: 1767225600,
};

const text = `{"type":"handshake_request","node_id":5,` +
  `"public_key":"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=","justification":"want to collaborate",` +
  `"signature":"yBdocyty6OCYiqjxKHmuTjtmWlXQHis/nxx75nh15dpUh7jYWbewByE/j9tcKdhDKZv5bD7TnHN196WCDGYVBw==",` +
  `"reason":"","timestamp":1767225600}`;

const parse = (json: string) => parseHandshake(encodeUtf8(json));

Deno.test("handshake: published example both ways", () => {
  assertEquals(encodeHandshake(request), encodeUtf8(text));
  assertEquals(encodeHandshake(request).length, 276);
  assertEquals(parse(text), request);
  assertEquals(handshakeChallenge(5, 7), "handshake:5:7");
  assertEquals(handshakeChallenge(0, 0xffffffff), "handshake:0:4294967295");
});

Deno.test("handshake: sizes of the other types", () => {
  const sizes: readonly [HandshakeDocument["type"], string, number][] = [
    ["handshake_accept", "", 256],
    ["handshake_reject", "not authorized", 270],
    ["handshake_revoke", "trust revoked", 269],
  ];
  for (const [type, reason, size] of sizes) {
    const document = { ...request, type, reason, justification: "" };
    assertEquals(encodeHandshake(document).length, size, type);
    assertEquals(parseHandshake(encodeHandshake(document)), document);
  }
  const unsigned =
    `{"type":"handshake_accept","node_id":3,"public_key":"","justification":"","signature":"",` +
    `"reason":"","timestamp":1767225600}`;
  assertEquals(encodeUtf8(unsigned).length, 124);
  const document = parse(unsigned);
  assert(typeof document === "object" && document.signature === "");
  assertEquals(encodeHandshake(document), encodeUtf8(unsigned));
});

Deno.test("handshake: the limit is one segment", () => {
  const largest = { ...request, node_id: 0xffffffff, justification: "" };
  assertEquals(encodeHandshake(largest).length, 266);
  assertEquals(
    encodeHandshake({ ...largest, justification: "x".repeat(3830) }).length,
    MAX_HANDSHAKE_DOCUMENT,
  );
  assertThrows(
    () => encodeHandshake({ ...largest, justification: "x".repeat(3831) }),
    RangeError,
    "4097",
  );
  assertThrows(() => encodeHandshake({ ...largest, justification: "é".repeat(1916) }), RangeError);
});

Deno.test("handshake: missing and null members are empty, unknown ones ignored", () => {
  assertEquals(parse(`{"type":"handshake_revoke","extra":[1],"reason":null}`), {
    type: "handshake_revoke",
    node_id: 0,
    public_key: "",
    justification: "",
    signature: "",
    reason: "",
    timestamp: 0,
  });
  const extended = { ...request, signature_v2: "abc" };
  assertEquals(parseHandshake(encodeHandshake(extended)), extended);
  assertEquals(parse(text.replace(`"reason"`, `"signature_v2":7,"reason"`)), request);
});

Deno.test("handshake: reasons", () => {
  for (const wrong of ["", "null", "[]", "7", text.slice(0, -1), text + "{}"]) {
    assertEquals(parse(wrong), "json", wrong);
  }
  for (const type of [`"handshake"`, `"register"`, `""`, "null", "1", `["handshake_request"]`]) {
    assertEquals(parse(`{"type":${type}}`), "type", type);
  }
  assertEquals(parse("{}"), "type");
  const wrongFields = [
    `"node_id":-1`,
    `"node_id":4294967296`,
    `"node_id":1.5`,
    `"node_id":"5"`,
    `"timestamp":"now"`,
    `"timestamp":0.5`,
    `"timestamp":1e300`,
    `"public_key":1`,
    `"justification":["x"]`,
    `"signature":{}`,
    `"reason":false`,
  ];
  for (const field of wrongFields) {
    assertEquals(parse(`{"type":"handshake_request",${field}}`), "field", field);
  }
});

Deno.test("handshake: maltreated input", () => {
  fuzz(parseHandshake, {
    valid: [
      encodeHandshake(request),
      encodeHandshake({ ...request, type: "handshake_accept", signature_v2: "x" }),
    ],
    check(input) {
      const document = parseHandshake(input);
      assert(typeof document === "object");
      assertEquals(parseHandshake(encodeHandshake(document)), document);
    },
  });
});
