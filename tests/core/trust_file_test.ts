/** The format of `trust.json`. */

import { assert, assertEquals } from "../assert.ts";
import { decodeTrustFile, encodeTrustFile, type TrustSnapshot } from "../../lib/core/trust.ts";
import { formatTime, parseTime } from "../../lib/core/trust_time.ts";
import { decodeBase64 } from "../../lib/wire/bytes.ts";

const KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
const publicKey = decodeBase64(KEY);
const AT = 1_767_225_600;

const EMPTY: TrustSnapshot = { trusted: [], pending: [], outgoing: [], denied: [] };

const FULL: TrustSnapshot = {
  trusted: [
    { node: 555, publicKey, approvedAt: AT, mutual: true, network: 3 },
    { node: 556, publicKey: undefined, approvedAt: AT + 1, mutual: false, network: 0 },
  ],
  pending: [
    { node: 7, publicKey, justification: "a < b & c > d", receivedAt: AT },
    { node: 8, publicKey: undefined, justification: "", receivedAt: AT },
  ],
  outgoing: [{ node: 9, justification: "", requestedAt: AT }],
  denied: [{ node: 10, publicKey, deniedAt: AT }],
};

function invalid(text: string): string {
  const result = decodeTrustFile(text);
  return "invalid" in result ? result.invalid : "valid";
}

Deno.test("the file of the Pilot Protocol, extended by two lists", () => {
  assertEquals(
    encodeTrustFile(FULL),
    `{
  "trusted": [
    {
      "node_id": 555,
      "public_key": "${KEY}",
      "approved_at": "2026-01-01T00:00:00Z",
      "mutual": true,
      "network": 3
    },
    {
      "node_id": 556,
      "public_key": "",
      "approved_at": "2026-01-01T00:00:01Z",
      "mutual": false
    }
  ],
  "pending": [
    {
      "node_id": 7,
      "public_key": "${KEY}",
      "justification": "a \\u003c b \\u0026 c \\u003e d",
      "received_at": "2026-01-01T00:00:00Z"
    },
    {
      "node_id": 8,
      "received_at": "2026-01-01T00:00:00Z"
    }
  ],
  "outgoing": [
    {
      "node_id": 9,
      "requested_at": "2026-01-01T00:00:00Z"
    }
  ],
  "denied": [
    {
      "node_id": 10,
      "public_key": "${KEY}",
      "denied_at": "2026-01-01T00:00:00Z"
    }
  ]
}`,
  );
});

Deno.test("what is written is read back", () => {
  assertEquals(decodeTrustFile(encodeTrustFile(FULL)), FULL);
  assertEquals(decodeTrustFile(encodeTrustFile(EMPTY)), EMPTY);
});

Deno.test("empty lists are written as [], and read as null or missing too", () => {
  assert(encodeTrustFile(EMPTY).includes('"trusted": []'));
  assertEquals(decodeTrustFile("{}"), EMPTY);
  assertEquals(decodeTrustFile('{"trusted": null, "pending": null}'), EMPTY);
  assertEquals(decodeTrustFile('{"trusted": [], "future": 1}'), EMPTY);
});

Deno.test("a file of another implementation is read: local times, fractions, missing members", () => {
  const text = `{"trusted":[{"node_id":1,"public_key":"","approved_at":"2026-01-01T02:30:00.123+02:30"},
    {"node_id":2,"approved_at":"yesterday","network":null}],"pending":[{"node_id":3,"justification":"\\u001b[1mhi"}]}`;
  assertEquals(decodeTrustFile(text), {
    trusted: [
      { node: 1, publicKey: undefined, approvedAt: AT, mutual: false, network: 0 },
      { node: 2, publicKey: undefined, approvedAt: 0, mutual: false, network: 0 },
    ],
    pending: [{ node: 3, publicKey: undefined, justification: "[1mhi", receivedAt: 0 }],
    outgoing: [],
    denied: [],
  });
});

Deno.test("decoding says what is wrong and where", () => {
  assertEquals(invalid(""), "not a JSON object");
  assertEquals(invalid("[]"), "not a JSON object");
  assertEquals(invalid('{"trusted":{}}'), "trusted is not a list");
  assertEquals(invalid('{"denied":[7]}'), "denied[0] is not an object");
  assertEquals(
    invalid('{"pending":[{"node_id":1},{}]}'),
    "pending[1].node_id is not a whole number from 0 to 4294967295",
  );
  assertEquals(
    invalid('{"outgoing":[{"node_id":-1}]}'),
    "outgoing[0].node_id is not a whole number from 0 to 4294967295",
  );
  assertEquals(
    invalid('{"trusted":[{"node_id":1,"public_key":5}]}'),
    "trusted[0].public_key is not a string",
  );
  assertEquals(
    invalid('{"trusted":[{"node_id":1,"public_key":"AAAA"}]}'),
    "trusted[0].public_key is not the base64 text of 32 bytes",
  );
  assertEquals(
    invalid('{"trusted":[{"node_id":1,"mutual":"yes"}]}'),
    "trusted[0].mutual is not true or false",
  );
  assertEquals(
    invalid('{"trusted":[{"node_id":1,"network":70000}]}'),
    "trusted[0].network is not a whole number from 0 to 65535",
  );
  assertEquals(
    invalid('{"pending":[{"node_id":1,"justification":1}]}'),
    "pending[0].justification is not a string",
  );
});

Deno.test("a file cut off anywhere is refused, never half read", () => {
  const text = encodeTrustFile(FULL);
  for (let length = 0; length < text.length; length++) {
    assert("invalid" in decodeTrustFile(text.slice(0, length)), `${length}`);
  }
});

Deno.test("times agree with the calendar of the platform", () => {
  let state = 42;
  for (let i = 0; i < 2_000; i++) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const seconds = state * 4 - 2_000_000_000;
    const expected = new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
    assertEquals(formatTime(seconds), expected);
    assertEquals(parseTime(expected), seconds);
  }
});

Deno.test("leap days, offsets and the ends of the calendar", () => {
  assertEquals(parseTime("2024-02-29T12:00:00Z"), Date.UTC(2024, 1, 29, 12) / 1000);
  assertEquals(parseTime("2000-02-29T00:00:00+14:00"), Date.UTC(2000, 1, 28, 10) / 1000);
  assertEquals(parseTime("2026-01-01T00:00:00-08:00"), AT + 8 * 3600);
  assertEquals(parseTime("0001-01-01T00:00:00Z"), -62_135_596_800);
  assertEquals(formatTime(-62_135_596_800), "0001-01-01T00:00:00Z");
  assertEquals(formatTime(Infinity), "9999-12-31T23:59:59Z");
  for (
    const text of [
      "2023-02-29T00:00:00Z",
      "1900-02-29T00:00:00Z",
      "2026-13-01T00:00:00Z",
      "2026-00-01T00:00:00Z",
      "2026-04-31T00:00:00Z",
      "2026-01-01T24:00:00Z",
      "2026-01-01T00:60:00Z",
      "2026-01-01T00:00:00",
      "2026-01-01 00:00:00Z",
      "2026-01-01T00:00:00+25:00",
      "",
    ]
  ) assertEquals(parseTime(text), undefined, text);
});
