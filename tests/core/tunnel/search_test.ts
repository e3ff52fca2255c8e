import { Search, type SearchOptions } from "../../../lib/core/tunnel/search.ts";
import { MAX_SEARCH_PROBES, OPEN_SOCKETS } from "../../../lib/core/tunnel/search_probes.ts";
import type { SearchMessage } from "../../../lib/wire/candidates.ts";
import type { Route } from "../../../lib/core/tunnel/route.ts";
import { assert, assertEquals } from "../../assert.ts";

const TARGET = { host: "198.51.100.7", port: 40_000 };

/** A search with its world written down. */
class Bench {
  readonly told: SearchMessage[] = [];
  readonly probes: { readonly route: Route; readonly token: number; readonly at: number }[] = [];
  readonly open = new Set<number>();
  readonly discovered: number[] = [];
  readonly used = new Set<number>();
  allows = true;
  hasBeacon = true;
  now = 0;
  readonly search: Search;
  #next = 1;

  constructor(options: Partial<Omit<SearchOptions, "hooks">> = {}) {
    this.search = new Search({
      role: "spray",
      attempt: 7,
      isLeader: true,
      target: TARGET,
      step: 1,
      rtt: 40,
      ...options,
      hooks: {
        random: () => this.#next++,
        takeVia: () => {
          this.open.add(this.#next);
          return this.#next++;
        },
        giveVia: (via) => this.open.delete(via),
        isUsed: (via) => this.used.has(via),
        mayProbe: () => this.allows,
        probe: (route, token, at) => this.probes.push({ route, token, at }),
        tell: (message) => this.told.push(message),
        discover: (via) => {
          this.discovered.push(via);
          return this.hasBeacon;
        },
      },
    }, 0);
  }

  /** Lets time pass. */
  run(ms: number): void {
    const end = this.now + ms;
    for (let at = this.search.nextTimeout(); at !== undefined && at <= end; at = this.search.nextTimeout()) {
      this.now = Math.max(this.now, at);
      this.search.handleTimeout(this.now);
    }
    this.now = end;
  }

  hear(stage: SearchMessage["stage"], options: { round?: number; lastPort?: number; attempt?: number } = {}) {
    const { round = 1, lastPort, attempt = 7 } = options;
    this.search.handleMessage({ kind: "search", stage, attempt, round, lastPort }, this.now);
  }
}

Deno.test("the leader asks until it is answered, and begins when it is", () => {
  const bench = new Bench();
  bench.run(900);
  assertEquals(bench.told.length, 4);
  assert(
    bench.told.every(({ stage, round, attempt }) => stage === "request" && round === 1 && attempt === 7),
  );
  assertEquals(bench.probes.length, 0);
  bench.hear("agreed");
  bench.run(1_000);
  assert(bench.probes.length >= 95 && bench.probes.length <= 101, `${bench.probes.length} in a second`);
});

Deno.test("a leader that nobody answers gives up, and has sent no probe", () => {
  const bench = new Bench();
  bench.run(10_000);
  assert(bench.search.isOver);
  assertEquals([bench.told.length, bench.probes.length], [5, 0]);
  assertEquals(bench.search.nextTimeout(), undefined);
});

Deno.test("the other side answers every copy of a request and begins once, half a round trip later", () => {
  const bench = new Bench({ isLeader: false });
  assertEquals(bench.told, []);
  bench.hear("request");
  bench.hear("request");
  assertEquals(bench.told.map(({ stage }) => stage), ["agreed", "agreed"]);
  bench.run(19);
  assertEquals(bench.probes.length, 0);
  bench.run(2);
  assertEquals(bench.probes.length, 1);
  bench.run(1_000);
  const { length } = bench.probes;
  bench.hear("request");
  bench.run(0);
  assertEquals(bench.probes.length, length, "begun again");
});

Deno.test("messages of another attempt or round, or for the other side, change nothing", () => {
  const leader = new Bench();
  leader.hear("agreed", { attempt: 8 });
  leader.hear("agreed", { round: 2 });
  leader.hear("request");
  leader.run(100);
  assertEquals([leader.probes.length, leader.told.length], [0, 1]);
  const other = new Bench({ isLeader: false });
  other.hear("agreed");
  other.hear("request", { attempt: 8 });
  other.run(100);
  assertEquals([other.probes.length, other.told.length], [0, 0]);
});

Deno.test("random ports: at most 2,048 probes, then it is over; sockets are opened by the one that opens", () => {
  for (const role of ["spray", "open"] as const) {
    const bench = new Bench({ role });
    bench.hear("agreed");
    bench.run(5_000);
    assertEquals(bench.open.size, role === "open" ? OPEN_SOCKETS : 0);
    bench.run(60_000);
    assert(bench.search.isOver);
    assertEquals(bench.probes.length, role === "open" ? 2 * OPEN_SOCKETS : MAX_SEARCH_PROBES);
    bench.search.close();
    assertEquals(bench.open.size, 0);
  }
});

Deno.test("sockets that a path lives on stay open, all others are closed at once", () => {
  const bench = new Bench({ role: "open" });
  bench.hear("agreed");
  bench.run(1_000);
  const [winner = 0] = [...bench.open].slice(17);
  assert(bench.search.owns(winner));
  bench.used.add(winner);
  bench.search.close();
  assertEquals([...bench.open], [winner]);
  assert(bench.search.isOver);
});

Deno.test("a probe that the node's limit forbids is made later, and does not count", () => {
  const bench = new Bench();
  bench.hear("agreed");
  bench.allows = false;
  bench.run(1_000);
  assertEquals([bench.probes.length, bench.search.sent], [0, 0]);
  bench.allows = true;
  bench.run(1_000);
  assert(bench.probes.length > 90);
  const ports = bench.probes.map(({ route }) => route.kind === "direct" ? route.endpoint.port : 0);
  assertEquals(new Set(ports).size, ports.length);
});

Deno.test("an answer tells the way its probe took, once", () => {
  const bench = new Bench();
  bench.hear("agreed");
  bench.run(500);
  const probe = bench.probes[10];
  assert(probe !== undefined);
  assertEquals(bench.search.takeAnswer(probe.token, probe.at + 30), { route: probe.route, rtt: 30 });
  assertEquals(bench.search.takeAnswer(probe.token, probe.at + 31), undefined);
  assertEquals(bench.search.takeAnswer(999_999, 0), undefined);
});

Deno.test("a last port is learned from a new socket and said; without a beacon, or an answer, it is over", () => {
  for (const role of ["offer", "row"] as const) {
    const bench = new Bench({ role });
    assertEquals([bench.discovered.length, bench.told.length], [1, 0]);
    const [via = 0] = bench.discovered;
    bench.search.handleLastPort(via + 1, 1, 10);
    assertEquals(bench.told.length, 0, "the port of another socket");
    bench.search.handleLastPort(via, 50_123, 10);
    assertEquals(bench.told[0]?.lastPort, 50_123);
    bench.hear("agreed", { lastPort: 60_000 });
    bench.run(100);
    const [first] = bench.probes;
    assert(first?.route.kind === "direct" && first.route.via === via);
    assertEquals(first.route.endpoint.port, role === "row" ? 60_001 : TARGET.port);

    const deaf = new Bench({ role });
    deaf.run(10_000);
    assert(deaf.search.isOver);
    assertEquals([deaf.discovered.length, deaf.told.length, deaf.probes.length], [5, 0, 0]);
    deaf.search.close();
    assertEquals(deaf.open.size, 0);
  }
});

Deno.test("ports that were foretold wrong are foretold again, with a new socket, a bounded number of times", () => {
  const leader = new Bench({ role: "row" });
  for (let round = 1; round <= 20 && !leader.search.isOver; round++) {
    const via = leader.discovered.at(-1) ?? 0;
    assertEquals([...leader.open], [via]);
    leader.search.handleLastPort(via, 50_000 + round, leader.now);
    leader.hear("agreed", { round, lastPort: 60_000 + round });
    assertEquals(leader.told.at(-1)?.round, round);
    leader.run(1_500);
  }
  assert(leader.search.isOver);
  assertEquals(leader.told.at(-1)?.round, 12);
  assertEquals(leader.probes.length, 12 * 32);
});

Deno.test("the other side follows into the next round and does not wait for ever", () => {
  const bench = new Bench({ role: "aim", isLeader: false });
  bench.hear("request", { lastPort: 50_000 });
  bench.run(2_000);
  const { length } = bench.probes;
  assert(length > 60);
  bench.hear("request", { round: 2, lastPort: 51_000 });
  bench.run(100);
  const last = bench.probes[length]?.route;
  assert(last?.kind === "direct");
  assertEquals(last.endpoint.port, 51_001);
  bench.run(30_000);
  assert(bench.search.isOver);
});

Deno.test("a peer that agrees without saying its port is left alone", () => {
  for (const role of ["aim", "row"] as const) {
    const bench = new Bench({ role });
    if (role === "row") bench.search.handleLastPort(bench.discovered[0] ?? 0, 50_000, 0);
    bench.hear("agreed");
    bench.run(1_000);
    assert(bench.search.isOver);
    assertEquals(bench.probes.length, 0);
  }
});
