import { nobleAead } from "../../lib/crypto/aead.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { rehearse } from "../../services/agent/rehearsal.ts";
import { assertEquals, assertRejects } from "../assert.ts";

const OPTIONS = { aead: nobleAead, random: systemRandom, clock: new SystemClock() };

Deno.test("rehearsal: a few conversations, each to its end", async () => {
  assertEquals(await rehearse(OPTIONS, new AbortController().signal), 4);
});

Deno.test("rehearsal: ends with the agent", async () => {
  assertEquals(await rehearse(OPTIONS, AbortSignal.abort()), 0);
});

Deno.test("rehearsal: what goes wrong is told", async () => {
  const zeros = (target: Uint8Array) => target;
  const { signal } = new AbortController();
  await assertRejects(() => rehearse({ ...OPTIONS, random: zeros }, signal), Error, "zeros");
  const deaf = {
    name: "deaf",
    create: (key: Uint8Array) => Object.assign(nobleAead.create(key), { open: () => undefined }),
  };
  await assertRejects(() => rehearse({ ...OPTIONS, aead: deaf }, signal), Error, "come to its end");
});
