import {
  MAX_SEARCH_PROBES,
  OPEN_SOCKETS,
  roundDuration,
  type RoundPlan,
  type SearchProbe,
  searchProbe,
} from "../../../lib/core/tunnel/search_probes.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SeededRandom } from "../../sim/random.ts";

const TARGET = { host: "198.51.100.7", port: 40_000 };

function plan(change: Partial<RoundPlan>): RoundPlan {
  return { role: "spray", target: TARGET, vias: [], lastPort: 50_000, step: 1, random: 1, ...change };
}

function all(options: RoundPlan, limit = MAX_SEARCH_PROBES): SearchProbe[] {
  const probes: SearchProbe[] = [];
  for (let index = 0; index < limit; index++) {
    const probe = searchProbe(options, index);
    if (probe === undefined) break;
    probes.push(probe);
  }
  return probes;
}

Deno.test("spray: distinct ports from 1024 up, spread over all of them, another order each time", () => {
  const random = new SeededRandom(3);
  let last = "";
  for (let round = 0; round < 20; round++) {
    const probes = all(plan({ random: random.uint32() }));
    const ports = probes.map(({ endpoint }) => endpoint.port);
    assertEquals(new Set(ports).size, MAX_SEARCH_PROBES);
    assert(ports.every((port) => port >= 1_024 && port <= 65_535));
    assert(probes.every(({ endpoint, via }) => endpoint.host === TARGET.host && via === 0));
    for (let quarter = 0; quarter < 4; quarter++) {
      const share = ports.filter((port) => Math.floor((port - 1_024) / 16_128) === quarter).length;
      assert(share > 300 && share < 750, `${share} of 2048 in quarter ${quarter}`);
    }
    assert(ports.join() !== last);
    last = ports.join();
  }
});

Deno.test("spray: in the end every port has had its turn", () => {
  const ports = new Set(all(plan({ random: 0xdeadbeef }), 64_512).map(({ endpoint }) => endpoint.port));
  assertEquals(ports.size, 64_512);
});

Deno.test("open: every socket sends to the known endpoint, and again before a mapping is forgotten", () => {
  const vias = Array.from({ length: OPEN_SOCKETS }, (_, index) => index + 1);
  const probes = all(plan({ role: "open", vias }), 2 * OPEN_SOCKETS);
  assertEquals(probes.map(({ via }) => via), [...vias, ...vias]);
  assert(probes.every(({ endpoint }) => endpoint === TARGET));
  assertEquals(probes[OPEN_SOCKETS - 1]?.after, 0);
  const again = probes[OPEN_SOCKETS]?.after ?? 0;
  assert(again > 5_000 && again < 15_000, `${again} ms`);
});

Deno.test("offer: a few datagrams from the one socket to the known endpoint", () => {
  const probes = all(plan({ role: "offer", vias: [9] }));
  assert(probes.length >= 3 && probes.length <= 10);
  assert(probes.every(({ endpoint, via }) => endpoint === TARGET && via === 9));
  assert((probes.at(-1)?.after ?? Infinity) < roundDuration("offer", 0));
});

Deno.test("aim: the window around the last port, nearest first in the direction of the step", () => {
  for (const step of [1, 2, -1, -3]) {
    const ports = all(plan({ role: "aim", step })).map(({ endpoint }) => endpoint.port);
    assertEquals(ports.slice(0, 3), [50_000 + step, 50_000 + 2 * step, 50_000 + 3 * step]);
    const window = Array.from({ length: 65 }, (_, index) => 50_000 + (index - 32) * step);
    assertEquals(new Set(ports), new Set(window));
  }
});

Deno.test("row: the k-th probe goes where the peer's k-th one comes from, more than once", () => {
  const probes = all(plan({ role: "row", vias: [7], step: 2 }));
  const ports = probes.map(({ endpoint }) => endpoint.port);
  assertEquals(ports.slice(0, 16), Array.from({ length: 16 }, (_, index) => 50_002 + 2 * index));
  assertEquals(ports.slice(16), ports.slice(0, 16));
  assert(probes.every(({ via }) => via === 7));
});

Deno.test("ports that are foretold stay ports, at both ends of their range", () => {
  for (const lastPort of [1, 1_024, 1_030, 65_530, 65_535]) {
    for (const role of ["aim", "row"] as const) {
      for (const step of [1, -127, 127]) {
        for (const { endpoint } of all(plan({ role, lastPort, step }))) {
          assert(endpoint.port >= 1_024 && endpoint.port <= 65_535, `${lastPort} ${role} ${step}`);
        }
      }
    }
  }
});
