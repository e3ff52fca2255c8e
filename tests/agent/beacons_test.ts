import { BeaconNames } from "../../services/agent/beacons.ts";
import { type Endpoint, formatEndpoint } from "../../lib/wire/endpoint.ts";
import { assertEquals } from "../assert.ts";

interface Round {
  readonly names: Readonly<Record<string, string>>;
  readonly reachable?: boolean;
}

/** Follows `beacons` through rounds of look-ups; what was used, in order, and how often names were asked for. */
async function follow(
  beacons: readonly string[],
  rounds: readonly Round[],
): Promise<{ used: string[]; asked: number; listed: string[] }> {
  const stop = new AbortController();
  const used: string[] = [];
  let asked = 0;
  let round = 0;
  const names = new BeaconNames(beacons.map((host) => ({ host, port: 9001 })), {
    use: (endpoints: readonly Endpoint[]) => used.push(endpoints.map(formatEndpoint).join(" ")),
    unresolved: () => used.push("none"),
    isReachable: () => rounds[round]?.reachable ?? true,
    resolve: (host) => {
      asked++;
      return Promise.resolve(rounds[round]?.names[host]);
    },
    sleep: () => {
      if (++round >= rounds.length) stop.abort();
      return Promise.resolve();
    },
  });
  await names.follow(stop.signal);
  return { used, asked, listed: names.list().map(({ address }) => address) };
}

Deno.test("beacons: all that resolve are used, in the order given, and those that resolve later join them", async () => {
  const { used, listed } = await follow(["one", "two"], [
    { names: { two: "192.0.2.2" } },
    { names: { one: "192.0.2.1", two: "192.0.2.2" } },
  ]);
  assertEquals(used, ["192.0.2.2:9001", "192.0.2.1:9001 192.0.2.2:9001"]);
  assertEquals(listed, ["one:9001", "two:9001"]);
});

Deno.test("beacons: it is told when no name has an address", async () => {
  const { used } = await follow(["one"], [{ names: {} }, { names: { one: "192.0.2.1" } }]);
  assertEquals(used, ["none", "192.0.2.1:9001"]);
});

Deno.test("beacons: one that has moved is followed at once when none answers, and in minutes otherwise", async () => {
  const before = { names: { one: "192.0.2.1" } };
  const moved = { names: { one: "192.0.2.7" } };
  const silent = await follow(["one"], [before, { ...moved, reachable: false }]);
  assertEquals(silent.used, ["192.0.2.1:9001", "192.0.2.7:9001"]);
  const answering = await follow(["one"], [before, ...Array.from({ length: 19 }, () => moved)]);
  assertEquals(answering, { used: ["192.0.2.1:9001"], asked: 1, listed: ["one:9001"] });
  const later = await follow(["one"], [before, ...Array.from({ length: 20 }, () => moved)]);
  assertEquals(later.used, ["192.0.2.1:9001", "192.0.2.7:9001"]);
});

Deno.test("beacons: a name that does not resolve any more leaves its beacon where it was", async () => {
  const { used } = await follow(["one"], [
    { names: { one: "192.0.2.1" } },
    { names: {}, reachable: false },
    { names: { one: "192.0.2.1" }, reachable: false },
  ]);
  assertEquals(used, ["192.0.2.1:9001"]);
});
