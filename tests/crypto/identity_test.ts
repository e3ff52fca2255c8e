import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "../assert.ts";
import {
  decodeIdentity,
  encodeIdentity,
  generateIdentity,
  type Identity,
  sign,
  signBase64,
  signText,
  verify,
} from "../../lib/crypto/identity.ts";
import { decodeBase64, encodeBase64, encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { SeededRandom } from "../sim/random.ts";
import { vectors } from "../wire/vectors.ts";

function counting(start: number, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => start + i);
}

function identityOf(seed: Uint8Array): Identity {
  return generateIdentity((target) => {
    target.set(seed);
    return target;
  });
}

const a = identityOf(counting(0, 32));
const b = identityOf(counting(32, 32));

const sample = `{
  "private_key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA==",
  "public_key": "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
}`;

Deno.test("identity: public keys of known seeds", () => {
  assertEquals(toHex(a.publicKey), "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
  assertEquals(toHex(b.publicKey), "29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7");
  const { ed25519_seed: seed, ed25519_public: publicKey } = vectors.key_exchange;
  assertEquals(toHex(identityOf(fromHex(seed)).publicKey), publicKey);
  // RFC 8032 section 7.1, test 1.
  const rfc = identityOf(fromHex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  assertEquals(toHex(rfc.publicKey), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  assertEquals(
    toHex(sign(rfc, new Uint8Array(0))),
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  );
});

Deno.test("identity: the text form both ways", () => {
  assertEquals(encodeIdentity(a), sample);
  assertEquals(decodeIdentity(sample), a);
  assertEquals(decodeIdentity(sample + "\n"), a);
  assertEquals(decodeIdentity(sample.replace("{", `{"comment": [1],`)), a);
  const random = new SeededRandom(81);
  for (let round = 0; round < 20; round++) {
    const identity = generateIdentity(random.bytes);
    assertEquals(decodeIdentity(encodeIdentity(identity)), identity, `seed 81 round ${round}`);
  }
});

Deno.test("identity: it tells what is wrong", () => {
  const privateKey = /"private_key": "[^"]*"/;
  const publicKey = /"public_key": "[^"]*"/;
  const urlSafe = sample.replace("A6EHv/POEL", "A6EHv_POEL");
  const foreignEnd = encodeBase64(Uint8Array.of(...a.seed, ...b.publicKey));
  const cases: readonly [string, RegExp][] = [
    ["", /empty/],
    [" \n", /empty/],
    ["null", /not a JSON object/],
    ["[]", /not a JSON object/],
    [sample.slice(0, 60), /not a JSON object/],
    ["{}", /private_key is missing/],
    [sample.replace(privateKey, `"private_key": 7`), /private_key is not a text/],
    [sample.replace(publicKey, `"other": 1`), /public_key is missing/],
    [sample.replace(publicKey, `"public_key": null`), /public_key is not a text/],
    [sample.replace(publicKey, `"public_key": "%"`), /public_key is not base64/],
    [sample.replace(publicKey, `"public_key": ""`), /public_key has 0 bytes instead of 32/],
    [
      sample.replace(privateKey, `"private_key": "${encodeBase64(a.seed)}"`),
      /private_key has 32 bytes instead of 64/,
    ],
    [sample.replace("uA==", "uA="), /private_key is not base64/],
    [sample.replace("uA==", "uB=="), /private_key is not base64/],
    [urlSafe, /public_key is not base64/],
    [sample.replace(publicKey, `"public_key": "${encodeBase64(b.publicKey)}"`), /differs/],
    [
      sample.replace(privateKey, `"private_key": "${foreignEnd}"`)
        .replace(publicKey, `"public_key": "${encodeBase64(b.publicKey)}"`),
      /does not belong to the seed/,
    ],
  ];
  for (const [text, expected] of cases) {
    const result = decodeIdentity(text);
    assert("invalid" in result, text);
    assertMatch(result.invalid, expected);
  }
});

Deno.test("identity: a damaged text is never taken for another identity", () => {
  const random = new SeededRandom(82);
  for (let round = 0; round < 1500; round++) {
    const at = random.int(sample.length);
    const text = sample.slice(0, at) + String.fromCharCode(32 + random.int(95)) + sample.slice(at + 1);
    const result = decodeIdentity(text);
    if (!("invalid" in result)) assertEquals(result, a, `seed 82 round ${round}`);
  }
  for (let length = 0; length < sample.length; length++) {
    assert("invalid" in decodeIdentity(sample.slice(0, length)), `cut to ${length}`);
  }
});

Deno.test("identity: signatures of handshakes and registry requests", () => {
  const signatures: readonly [Identity, string, string][] = [
    [
      a,
      "handshake:5:7",
      "yBdocyty6OCYiqjxKHmuTjtmWlXQHis/nxx75nh15dpUh7jYWbewByE/j9tcKdhDKZv5bD7TnHN196WCDGYVBw==",
    ],
    [
      a,
      "respond:5:7",
      "s0X4H+Qt0vTclc7+uATCy9hhtVQNLAyGwW5HZPpVQkqxMBvi42zo6jTsbG8M6Dt/mNEdVU+z6lfwLC+aSZpHCw==",
    ],
    [
      a,
      "report_trust:5:7",
      "OvshgqEy0k/QuDnJeR5g41Kcp7A0CXji+v3Gmc81IAOuCDEKqUDXAJ1tDYPyKpQU8SfepRdIgNuSnoIMTbNWCQ==",
    ],
    [
      a,
      "revoke_trust:5:7",
      "4NeVsXJ91FXC7DocCMT2MXdExxxo3cMgwOj7NWHW2/cRfIK+kRf+DU27H9yjwX80b4jMWHKPvbpuzs66qQKWAQ==",
    ],
    [
      a,
      "poll_handshakes:5",
      "Hc4MC1aYCROVXQvjIbFwJr70yWwCbfbXOSomBMNtXEAzjDW66Y7CxZCG5EeenuoDYT3JtPLDUgUlx7Yb77CrAQ==",
    ],
    [
      a,
      "resolve:5:7",
      "YC/qK1F0HDghTb690zQLhDBM9/esADNoieUsP+m/0ZY1AWUmUFkwN0fq7sK6j1kuyL4XTzKNmjKBcZHPBxJ5Bw==",
    ],
    [
      a,
      "heartbeat:11",
      "q45BbCdaUZcwk2S8n6vVi4fP2JqzOXBTjYngOXnVulNhT94DXKa4bzuuD05VyQPMLk72eNsf2njNteDnQO74AQ==",
    ],
    [
      a,
      "resolve:11:12",
      "viiB7enCGnehk4ugsDhINw8v1fMZa6XrLWx7ekDjNR++izThApfvZQeNin5c0F2IiC2h5J6+k1gRWVmn4CakCA==",
    ],
    [
      a,
      "report_trust:11:12",
      "DK9JCrT1bpIqBtx44oqt96B0OXN5NMjPyVAhQTp4JQplYFCL+SFN30wdajuL/q4XVHdpP2jhCGGGqOi7BbUBAQ==",
    ],
    [
      a,
      "revoke_trust:11:12",
      "R3lwyOui+AFWRxnlb9iZJNhm3nSTgQZq24wA5ETX7HCh06rLJv1UvRgtjWcm3Mnw+fgzxLZV4AaCg/+GIqdADw==",
    ],
    [
      a,
      "set_visibility:11",
      "ekD/egI+7mMtts/T/qSz37VJwi1lJrXO3Vx3sxHMEwJqqkmbxX2mW/L9D0Ouod5VC0XCrx61h0FH2Nk/bGkgAA==",
    ],
    [
      a,
      "set_hostname:11",
      "BuOLbW3z9ITDxnMClT5LzkQxV8n/Ax2T70rKlN8Ba08OxGNJJS59LoO9JkAYz3cvPsxgf3kKDwcW5FKOo2uqBA==",
    ],
    [
      a,
      "set_tags:11",
      "fBL+74f1JKcZZAGxtgPzZLhYalKWMVj/7etdsGciMoElycDWzQvoy3bKZ7DxpFu9hPpLLCCzwVjTLbxNcaxIBQ==",
    ],
    [
      a,
      "set_task_exec:11",
      "RQDt9dp0TvwUHFppfJiqMaTJTtLirBnHv+Bp+5LEhheAmc3SnlxPt2WBO3WSU4zApkbl+tPzw+JEeqPYiBQeCQ==",
    ],
    [
      a,
      "deregister:11",
      "4Iwu6xXrJdzK8MRH3jRf5zWyuyU5bPoLVg4WuC8S1tOORZLv0/hQyToDze+YN3rIofWKF3Ya0eT2yzqbUOTdBA==",
    ],
    [
      a,
      "poll_handshakes:11",
      "/X6m8EcChdQppWaaWjstPh8/mgVKcV4CaCmb9yoVKkn6ULEQ8U//E89+wYLIFJPBNF6IeAYM/weKnwCpWErnDQ==",
    ],
    [
      a,
      "handshake:11:12",
      "e4z/mOHIken/AIeyDADgR2ezMcu/DePrDdh5H4dQPPRz10BOee8fb5qZdt1IEc43EhLaW9/cqhIe+2dj9TsZDA==",
    ],
    [
      a,
      "punch:11:12",
      "dcgIDzR7T95wFN8U5IpgD+D9xFisKd4zQH5spcl363P3We0pe9xnOnAeJn70CbwqzXzSr5vvFE7ehdAm/pWmDw==",
    ],
    [
      a,
      "rotate:11",
      "aa2zf4NhFFxWlriNJmW3nYI+xAHVSf/1U24zrjb4Ym5BFfCcJtxxxfMQTtrfmlegpZ59P4+5zF8pqFIYdbqXAA==",
    ],
    [
      b,
      "respond:12:11",
      "P5oKToh/Ulv6v1iB05Y9+rRRGV8jblDTwodVrHK4fXgIIN0I2fGtEniVsI0mwABgI86N7U9nZi2T50GTwyYXDA==",
    ],
    [
      b,
      "poll_handshakes:12",
      "FppuVECvk0ocIjBJDQxIX4gyuRniIgfyZdMFNhFwtkgWn0gZzeWD2fNcQDnWt1F2TonHE7kNhSfw2Igw4SOPCA==",
    ],
  ];
  for (const [identity, text, signature] of signatures) {
    assertEquals(signBase64(identity, text), signature, text);
    assertEquals(encodeBase64(signText(identity, text)), signature, text);
    const bytes = decodeBase64(signature);
    assert(bytes !== undefined && verify(identity.publicKey, encodeUtf8(text), bytes), text);
  }
});

Deno.test("identity: signed key exchanges", () => {
  const { key_exchange: exchange } = vectors;
  const identity = identityOf(fromHex(exchange.ed25519_seed));
  const signature = sign(identity, fromHex(exchange.signed_bytes));
  assertEquals(toHex(signature), exchange.pila.slice(2 * 72));
  assert(verify(fromHex(exchange.ed25519_public), fromHex(exchange.signed_bytes), signature));
  const published = "9fac4573421e513db99105e9f96563d6f6e4fb49d6722fa4b6a465b33a3e87b3" +
    "467ef0f0f2c27d7b3c981c3b280b015b57924d8235e942104d318dbcaf099b06";
  const signed = fromHex("6175746800000001 07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c");
  assertEquals(toHex(sign(a, signed)), published);
  const answer = "aea6a3909aba31ffd7b0632f35dcb645c0d4429ac738c977e1e499feea49d1b3" +
    "6dcfed36a403a06e3649372047d0f4a0f96325680ac5a2d96eea8cc0b52ab905";
  const signedB = fromHex(
    "6175746800000002 5869aff450549732cbaaed5e5df9b30a6da31cb0e5742bad5ad4a1a768f1a67b",
  );
  assertEquals(toHex(sign(b, signedB)), answer);
});

Deno.test("identity: wrong signatures are wrong, malformed ones do not throw", () => {
  const message = encodeUtf8("heartbeat:11");
  const signature = sign(a, message);
  assert(verify(a.publicKey, message, signature));
  assert(!verify(b.publicKey, message, signature));
  assert(!verify(a.publicKey, encodeUtf8("heartbeat:12"), signature));
  for (let i = 0; i < 64; i += 3) {
    const broken = signature.slice();
    broken[i] = (broken[i] ?? 0) ^ 1;
    assert(!verify(a.publicKey, message, broken), `byte ${i}`);
  }
  for (const length of [0, 1, 31, 33, 64]) assert(!verify(new Uint8Array(length), message, signature));
  for (const length of [0, 63, 65]) assert(!verify(a.publicKey, message, new Uint8Array(length)));
  const random = new SeededRandom(83);
  for (let round = 0; round < 200; round++) {
    const key = random.bytes(new Uint8Array(32));
    assert(!verify(key, message, random.bytes(new Uint8Array(64))), `seed 83 round ${round}`);
  }
});

Deno.test("identity: keys of small order and signatures beyond the group order are refused", () => {
  // Under the neutral element as key, R = neutral and S = 0 satisfy the equation for every message.
  const neutral = fromHex(`01${"00".repeat(31)}`);
  assert(!verify(neutral, encodeUtf8("anything"), Uint8Array.of(...neutral, ...new Uint8Array(32))));
  const message = encodeUtf8("x");
  const signature = sign(a, message);
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const littleEndian = (bytes: Uint8Array) => BigInt(`0x${toHex(bytes.toReversed())}`);
  const shifted = littleEndian(signature.slice(32)) + order;
  const malleable = signature.slice();
  malleable.set(fromHex(shifted.toString(16).padStart(64, "0")).toReversed(), 32);
  assertNotEquals(toHex(malleable), toHex(signature));
  assert(!verify(a.publicKey, message, malleable));
});

Deno.test("identity: inputs are not written to", () => {
  const message = counting(0, 40);
  const signature = sign(a, message);
  const copies = [a.seed.slice(), a.publicKey.slice(), message.slice(), signature.slice()];
  verify(a.publicKey, message, signature);
  encodeIdentity(a);
  assertEquals([a.seed, a.publicKey, message, signature], copies);
});

Deno.test("identity: a dead random source is noticed", () => {
  assertThrows(() => generateIdentity((target) => target), Error, "zeros");
});
