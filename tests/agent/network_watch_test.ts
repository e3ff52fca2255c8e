import { watchNetwork } from "../../services/agent/network_watch.ts";
import { assertEquals } from "../assert.ts";

/** In which rounds a change was told, when the host is reached from these addresses, one after the other. */
async function changes(addresses: readonly (string | undefined)[]): Promise<number[]> {
  const stop = new AbortController();
  const told: number[] = [];
  let round = 0;
  await watchNetwork({
    towards: () => ["203.0.113.1"],
    sourceAddress: () => Promise.resolve(addresses[round]),
    changed: () => void told.push(round),
    signal: stop.signal,
    sleep: () => {
      if (++round >= addresses.length) stop.abort();
      return Promise.resolve();
    },
  });
  return told;
}

Deno.test("network watch: another address is told, the same one is not", async () => {
  assertEquals(await changes(["10.0.0.2", "10.0.0.2", "100.64.0.9", "100.64.0.9", "10.0.0.2"]), [2, 4]);
});

Deno.test("network watch: an interruption is told when it is over, even when the address is the old one", async () => {
  assertEquals(await changes(["10.0.0.2", undefined, undefined, "10.0.0.2"]), [3]);
  assertEquals(await changes([undefined, "10.0.0.2"]), [1]);
  assertEquals(await changes(["10.0.0.2", undefined]), []);
});

Deno.test("network watch: a failing look-up counts as no way, a new host as nothing new", async () => {
  const stop = new AbortController();
  let told = 0;
  let round = 0;
  await watchNetwork({
    towards: () => round < 2 ? ["203.0.113.1"] : ["203.0.113.2"],
    sourceAddress: () => round === 1 ? Promise.reject(new Error("no")) : Promise.resolve("10.0.0.2"),
    changed: () => void told++,
    signal: stop.signal,
    sleep: () => {
      if (++round === 4) stop.abort();
      return Promise.resolve();
    },
  });
  assertEquals(told, 0);
});
