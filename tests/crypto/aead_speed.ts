/** Microseconds per 1,200-byte packet of each provider: `deno run -A tests/crypto/aead_speed.ts`. */

import { nobleAead, SealingKey, TAG_SIZE } from "../../lib/crypto/aead.ts";
import { ReplayWindows } from "../../lib/crypto/replay.ts";
import { nodeAead } from "../../lib/io/node_aead.ts";
import { openSslAead } from "../../lib/io/openssl.ts";

const SIZE = 1200;

function measure(name: string, count: number, step: () => void): void {
  for (let i = 0; i < count / 4; i++) step();
  const start = performance.now();
  for (let i = 0; i < count; i++) step();
  console.log(`${name.padEnd(32)} ${(((performance.now() - start) * 1000) / count).toFixed(3)} us`);
}

for (const provider of [openSslAead(), nodeAead, nobleAead]) {
  if (provider === undefined) continue;
  const count = provider.name === "openssl" ? 200_000 : 10_000;
  const aead = provider.create(new Uint8Array(32));
  const key = new SealingKey(aead, { prefix: new Uint8Array(4), counter: 1n });
  const aad = new Uint8Array(4);
  const frame = new Uint8Array(12 + SIZE + TAG_SIZE);
  const plaintext = frame.subarray(12, 12 + SIZE);
  measure(`${provider.name} sealInto, in place`, count, () => key.sealInto(plaintext, aad, frame, 0));
  key.sealInto(plaintext, aad, frame, 0);
  const nonce = frame.slice(0, 12);
  const ciphertext = frame.slice(12);
  const target = new Uint8Array(SIZE);
  measure(`${provider.name} openInto`, count, () => {
    if (!aead.openInto(nonce, ciphertext, aad, target)) throw new Error("does not open");
  });
  measure(`${provider.name} seal`, count, () => key.seal(plaintext, aad));
  measure(`${provider.name} open`, count, () => aead.open(nonce, ciphertext, aad));
}

const windows = new ReplayWindows();
const view = new DataView(new ArrayBuffer(12));
const nonce = new Uint8Array(view.buffer);
let counter = 1_700_000_000_000_000;
measure("replay judge and mark", 1_000_000, () => {
  view.setUint32(4, counter / 2 ** 32);
  view.setUint32(8, counter++ % 2 ** 32);
  if (windows.judge(nonce) !== "fresh") throw new Error("not fresh");
  windows.mark(nonce);
});
