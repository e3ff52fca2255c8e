import { DUAL_SEND_MS, MAX_CANDIDATES, PATH_KEEPALIVE_MS, PATH_MISSES } from "../../../lib/core/constants.ts";
import { Paths, RELAY, type Route } from "../../../lib/core/tunnel/path.ts";
import { assert, assertEquals } from "../../assert.ts";

const HOME = { host: "192.0.2.1", port: 4000 };
const OTHER = { host: "192.0.2.2", port: 4000 };
const direct = (endpoint: typeof HOME): Route => ({ kind: "direct", endpoint });

function makePaths(): Paths {
  let token = 100;
  return new Paths({ random: () => token++ }, 0);
}

/** Sends all due probes and answers those on `answered`. */
function probe(
  paths: Paths,
  now: number,
  options: { answered: (route: Route) => boolean; delay?: number },
): number {
  const probes = paths.dueProbes(now, true);
  for (const { route, token } of probes) {
    if (options.answered(route)) paths.handleAnswer(token, now + (options.delay ?? 0));
  }
  return probes.length;
}

Deno.test("at first frames go on the relay and on the guess, later on the relay alone", () => {
  const paths = makePaths();
  paths.addCandidate(HOME, 0);
  assertEquals(paths.routes(0, true), [RELAY, direct(HOME)]);
  assertEquals(paths.routes(DUAL_SEND_MS, true), [RELAY]);
});

Deno.test("without a relay frames go to at most two guesses, the one heard last first", () => {
  const paths = makePaths();
  for (let port = 1; port <= 4; port++) paths.addCandidate({ host: "192.0.2.1", port }, 0);
  paths.noteReceived(direct({ host: "192.0.2.1", port: 3 }), 5);
  const routes = paths.routes(10, false);
  assertEquals(routes.length, 2);
  assertEquals(routes[0], direct({ host: "192.0.2.1", port: 3 }));
});

Deno.test("a frame that arrives proves nothing: only an answered probe does", () => {
  const paths = makePaths();
  paths.addCandidate(HOME, 0);
  paths.startProbing(0);
  paths.noteReceived(direct(HOME), 1);
  assert(!paths.isDirect);
  probe(paths, 2, { answered: (route) => route.kind === "direct", delay: 30 });
  assert(paths.isDirect);
  assertEquals(paths.routes(40, true), [direct(HOME)]);
  assertEquals(paths.describe(true), { path: "direct", endpoint: HOME, rtt: 30, source: "observed" });
});

Deno.test("an answer with an unknown or a used token proves nothing", () => {
  const paths = makePaths();
  paths.addCandidate(HOME, 0);
  paths.startProbing(0);
  assertEquals(paths.handleAnswer(7, 1), false);
  const [first] = paths.dueProbes(0, false);
  assert(first !== undefined);
  assertEquals(paths.handleAnswer(first.token, 5), true);
  assertEquals(paths.handleAnswer(first.token, 6), false);
});

Deno.test("a proven path that falls silent under traffic is given up after a few probes, and found again", () => {
  const paths = makePaths();
  paths.addCandidate(HOME, 0);
  paths.startProbing(0);
  probe(paths, 0, { answered: () => true });
  assert(paths.isDirect);
  let now = 100;
  paths.noteSent([direct(HOME)], now);
  let probes = 0;
  while (paths.isDirect && now < 20_000) {
    now = Math.max(now + 1, paths.nextTimeout(true) ?? now + 1_000);
    paths.noteSent(paths.routes(now, true), now);
    probes += probe(paths, now, { answered: (route) => route.kind === "relay" });
  }
  assert(!paths.isDirect, "still direct");
  assert(now < 6_000, `given up at ${now}`);
  assert(probes >= PATH_MISSES);
  assertEquals(paths.routes(now, true)[0], RELAY);
  while (!paths.isDirect && now < 60_000) {
    now = Math.max(now + 1, paths.nextTimeout(true) ?? now + 1_000);
    probe(paths, now, { answered: () => true });
  }
  assert(paths.isDirect, "never direct again");
});

Deno.test("a proven idle path is refreshed within the shortest common NAT timer, an unused peer is left alone", () => {
  const paths = makePaths();
  paths.addCandidate(HOME, 0);
  paths.startProbing(0);
  probe(paths, 0, { answered: () => true });
  let now = 0;
  for (let sample = 0; sample < 3; sample++) {
    now = paths.nextTimeout(true) ?? now;
    probe(paths, now, { answered: () => true });
  }
  assertEquals(paths.nextTimeout(false), now + PATH_KEEPALIVE_MS);
  let probes = 0;
  for (let at = paths.nextTimeout(true); at !== undefined && at < 3_600_000; at = paths.nextTimeout(true)) {
    now = at;
    probes += probe(paths, now, { answered: () => true });
    assert(probes < 100, "endless probes without traffic");
  }
  assert(probes >= 4, `${probes} probes`);
});

Deno.test("the path in use is kept unless another is clearly faster", () => {
  const paths = makePaths();
  paths.addCandidate(HOME, 0);
  paths.addCandidate(OTHER, 0);
  paths.startProbing(0);
  const isHome = (route: Route) => route.kind === "direct" && route.endpoint.host === HOME.host;
  const [, ...rest] = paths.dueProbes(0, false).map(({ route, token }) => {
    if (isHome(route)) paths.handleAnswer(token, 50);
    return { route, token };
  });
  assertEquals(paths.routes(50, true), [direct(HOME)]);
  for (const { token } of rest) paths.handleAnswer(token, 45);
  assertEquals(paths.routes(60, true), [direct(HOME)], "45 ms is not clearly faster than 50 ms");
});

Deno.test("candidates are bounded, and a proven one never makes room for a guess", () => {
  const paths = makePaths();
  paths.addCandidate(HOME, 0);
  paths.startProbing(0);
  probe(paths, 0, { answered: (route) => route.kind === "direct" });
  for (let port = 1; port < 100; port++) paths.addCandidate({ host: "198.51.100.1", port }, port);
  assertEquals(paths.candidates().length, MAX_CANDIDATES);
  assertEquals(paths.routes(200, true), [direct(HOME)]);
});
