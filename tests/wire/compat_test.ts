import { assertEquals } from "../assert.ts";
import { compatProof, decodeCompat, encodeCompat } from "../../lib/wire/compat.ts";

const NONCE = "00112233445566778899aabbccddeeff";
const CHALLENGE = `{"type":"auth_challenge","nonce":"${NONCE}","ts":1800000000}`;
const REPLY = `{"type":"auth_reply","node_id":4096,"public_key":"${btoa("k".repeat(32))}","sig":"${
  btoa("s".repeat(64))
}"}`;

Deno.test("compat: the texts of the login, there and back", () => {
  for (const text of [CHALLENGE, REPLY, `{"type":"auth_ok"}`, `{"type":"error","error":"no"}`]) {
    const message = decodeCompat(text);
    assertEquals(message === undefined ? undefined : encodeCompat(message), text);
  }
});

Deno.test("compat: what is signed", () => {
  assertEquals(compatProof(7, { nonce: NONCE, ts: 5 }), `compat_auth:7:5:${NONCE}`);
  // The first version of the protocol had no time.
  assertEquals(compatProof(7, { nonce: NONCE }), `compat_auth:7:${NONCE}`);
});

Deno.test("compat: refusals in any words", () => {
  assertEquals(decodeCompat(`{"type":"auth_error","reason":"stale"}`), { type: "error", reason: "stale" });
  assertEquals(decodeCompat(`{"type":"error"}`), { type: "error", reason: "no reason given" });
});

Deno.test("compat: everything else is nothing", () => {
  const broken = [
    "",
    "[]",
    "{}",
    `{"type":"auth_challenge"}`,
    CHALLENGE.replace("ff", "fg"),
    CHALLENGE.replace("ff", ""),
    CHALLENGE.replace("1800000000", "-1"),
    CHALLENGE.replace("1800000000", `"soon"`),
    REPLY.replace("4096", "4294967296"),
    REPLY.replace("4096", "1.5"),
    REPLY.replace(btoa("k".repeat(32)), btoa("k".repeat(31))),
    REPLY.replace(btoa("s".repeat(64)), "?"),
    REPLY.replace(`"sig"`, `"signature"`),
    CHALLENGE.replace("}", `,"x":"${"y".repeat(5_000)}"}`),
  ];
  for (const text of broken) assertEquals(decodeCompat(text), undefined, text.slice(0, 80));
  for (let length = 0; length < REPLY.length; length++) {
    assertEquals(decodeCompat(REPLY.slice(0, length)), undefined);
  }
});
