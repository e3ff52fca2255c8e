import { assert, assertEquals } from "../assert.ts";
import {
  deriveSecureKey,
  deriveTunnelKey,
  type ExchangeKey,
  generateExchangeKey,
  sharedSecret,
} from "../../lib/crypto/exchange.ts";
import { fromHex, toHex } from "../../lib/wire/bytes.ts";
import { SeededRandom } from "../sim/random.ts";
import { vectors } from "../wire/vectors.ts";

function keyOf(privateKey: Uint8Array): ExchangeKey {
  return generateExchangeKey((target) => {
    target.set(privateKey);
    return target;
  });
}

function counting(start: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 32 }, (_, i) => start + i);
}

function shared(own: ExchangeKey, peer: ExchangeKey): Uint8Array {
  const secret = sharedSecret(own, peer.publicKey);
  assert(secret !== undefined);
  return secret;
}

Deno.test("exchange: vectors", () => {
  const { key_exchange: exchange, sealed } = vectors;
  const a = keyOf(fromHex(exchange.x25519_private_a));
  const b = keyOf(fromHex(exchange.x25519_private_b));
  assertEquals(toHex(a.publicKey), exchange.x25519_public_a);
  assertEquals(toHex(b.publicKey), exchange.x25519_public_b);
  assertEquals(toHex(shared(a, b)), exchange.shared);
  assertEquals(toHex(shared(b, a)), exchange.shared);
  for (const { dialect, key } of sealed) {
    assert(dialect === "current" || dialect === "v0.5");
    assertEquals(toHex(deriveTunnelKey(fromHex(exchange.shared), dialect)), key, dialect);
  }
});

Deno.test("exchange: published tunnel example", () => {
  const a = keyOf(counting(1));
  const b = keyOf(counting(33));
  assertEquals(toHex(a.publicKey), "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c");
  assertEquals(toHex(b.publicKey), "5869aff450549732cbaaed5e5df9b30a6da31cb0e5742bad5ad4a1a768f1a67b");
  assertEquals(toHex(shared(a, b)), "a84dc7c3c8f058b1b2dc4cd1e9b5dc0a7987f88b6a9564cde3391fc421159e77");
  assertEquals(
    toHex(deriveTunnelKey(shared(a, b), "v0.5")),
    "878581f7ac4432d5fa707b3970f8ac781f1801b028401ee28258ddf8588408e7",
  );
});

Deno.test("exchange: known answers of both derivations in both dialects", () => {
  const secret = counting(0);
  const before = secret.slice();
  assertEquals(
    [
      deriveTunnelKey(secret, "v0.5"),
      deriveTunnelKey(secret, "current"),
      deriveSecureKey(secret, "v0.5"),
      deriveSecureKey(secret, "current"),
    ].map(toHex),
    [
      "37ae2123671d5c48ad8645dd20d5665d8998888dba5207e6c8d9c0eaf3098d3d",
      "a1a89c7e75a7301db827f184a1702e8235df8831a9c57d970a1b88ca91377a64",
      "ba0d9072e6d1c84b4ab0caccc973e9ff380d4dbd0f1aae0009722e3ab14d9b2d",
      "0fae37de96d768e3b9a723152925435cbab0a5b7a9492173fd890d555fa16639",
    ],
  );
  assertEquals(secret, before);
});

Deno.test("exchange: published secure channel example", () => {
  const client = keyOf(counting(0));
  const server = keyOf(counting(32));
  assertEquals(toHex(client.publicKey), "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f");
  assertEquals(toHex(server.publicKey), "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254");
  const secret = shared(client, server);
  assertEquals(toHex(secret), "9663aa1da97e848a914a436d04163dfbb89178f107f1b5b77ed3854203382854");
  assertEquals(
    toHex(deriveSecureKey(secret, "v0.5")),
    "fceec3b9f3b38f657e6666f147dd479de04819c6a45d86da355620a43a3772e0",
  );
});

Deno.test("exchange: points of small order give no secret", () => {
  // The canonical ones of the curve, and two non-canonical encodings.
  const points = [
    "00".repeat(32),
    `01${"00".repeat(31)}`,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    `ec${"ff".repeat(30)}7f`,
    `ed${"ff".repeat(30)}7f`,
    `ee${"ff".repeat(30)}7f`,
  ];
  const own = keyOf(counting(1));
  for (const hex of points) assertEquals(sharedSecret(own, fromHex(hex)), undefined, hex);
});

Deno.test("exchange: keys of another length give no secret, random ones do not throw", () => {
  const own = keyOf(counting(1));
  for (const length of [0, 1, 31, 33, 64]) {
    assertEquals(sharedSecret(own, new Uint8Array(length).fill(9)), undefined);
  }
  const random = new SeededRandom(91);
  for (let round = 0; round < 200; round++) {
    const peer = random.bytes(new Uint8Array(32));
    const before = peer.slice();
    sharedSecret(own, peer);
    assertEquals(peer, before, `seed 91 round ${round}`);
  }
});

Deno.test("exchange: both sides of random pairs agree", () => {
  const random = new SeededRandom(92);
  for (let round = 0; round < 20; round++) {
    const a = generateExchangeKey(random.bytes);
    const b = generateExchangeKey(random.bytes);
    assertEquals(shared(a, b), shared(b, a), `seed 92 round ${round}`);
  }
});
