import { SWITCH_GAP_MS } from "../../../lib/core/constants.ts";
import { Choice, compareRoutes, type RouteState } from "../../../lib/core/tunnel/preference.ts";
import { assert, assertEquals } from "../../assert.ts";

const NOW = 100_000;

function route(change: Partial<RouteState> = {}): RouteState {
  return { isRelay: false, isProven: true, isLan: false, heldUntil: -Infinity, rtt: 20, ...change };
}

const RELAYED = route({ isRelay: true, rtt: 5 });
const LAN = route({ isLan: true, rtt: 30 });

/** The better one first. */
const TABLE: readonly (readonly [string, RouteState, RouteState])[] = [
  ["direct before relay, even when it takes longer", route({ rtt: 200 }), RELAYED],
  ["the own network before the internet", LAN, route({ rtt: 10 })],
  ["the shorter round trip", route({ rtt: 10 }), route({ rtt: 11 })],
  ["measured before unmeasured", route({ rtt: 500 }), route({ rtt: undefined })],
  ["proven before unproven", route({ rtt: 500 }), route({ isProven: false, rtt: 1 })],
  ["a proven relay before an unproven direct path", RELAYED, route({ isProven: false })],
  ["relay before a direct path that is held", RELAYED, route({ heldUntil: NOW + 1 })],
  ["a hold that has run out counts no more", route({ heldUntil: NOW }), RELAYED],
  [
    "one that is held is worth no more than one that is unproven",
    LAN,
    route({ isLan: true, heldUntil: NOW + 1 }),
  ],
];

Deno.test("compareRoutes: the table", () => {
  for (const [name, better, worse] of TABLE) {
    assert(compareRoutes(better, worse, NOW) < 0, name);
    assert(compareRoutes(worse, better, NOW) > 0, `${name}, the other way round`);
    assertEquals(compareRoutes(better, better, NOW), 0, `${name}, with itself`);
  }
});

type Mutable = { -readonly [Key in keyof RouteState]: RouteState[Key] };

Deno.test("choice: no change for little, one for much, and the own network at once while all are being found", () => {
  const slow: Mutable = route({ rtt: 50 });
  const fast = route({ rtt: 45 });
  const faster = route({ rtt: 20 });
  const choice = new Choice<RouteState>();
  choice.update([slow], 0);
  assertEquals(choice.current, slow);
  choice.update([slow, fast], 10);
  assertEquals(choice.current, slow, "45 ms is not clearly faster than 50 ms");
  choice.update([slow, fast, faster], 20);
  assertEquals(choice.current, faster);
  choice.update([slow, fast, faster, LAN], 30);
  assertEquals(choice.current, LAN);
});

Deno.test("choice: later at most one change in thirty seconds, unless the path has died", () => {
  const first: Mutable = route({ rtt: 50 });
  const second: Mutable = route({ rtt: 10 });
  const choice = new Choice<RouteState>();
  choice.update([first], 0);
  choice.update([first, second], 10_000);
  assertEquals(choice.current, first);
  choice.update([first, second], SWITCH_GAP_MS);
  assertEquals(choice.current, second);
  first.rtt = 1;
  choice.update([first, second], SWITCH_GAP_MS + 1);
  assertEquals(choice.current, second);
  second.isProven = false;
  choice.update([first, second], SWITCH_GAP_MS + 2);
  assertEquals(choice.current, first, "the other one is there at once when one dies");
});

Deno.test("choice: after one loss a path is taken at once, after a second one it takes time", () => {
  const path: Mutable = route();
  const choice = new Choice<RouteState>();
  const set = (isProven: boolean, now: number) => {
    path.isProven = isProven;
    choice.update([path], now);
  };
  set(true, 0);
  set(false, 60_000);
  assertEquals(choice.current, undefined);
  set(true, 61_000);
  assertEquals(choice.current, path);
  set(false, 62_000);
  set(true, 63_000);
  assertEquals(choice.current, undefined, "taken again after a second loss");
  assertEquals(choice.nextChange([path], 63_000), 61_000 + SWITCH_GAP_MS);
  set(true, 61_000 + SWITCH_GAP_MS);
  assertEquals(choice.current, path);
  set(false, 92_000);
  choice.forgive();
  set(true, 92_001);
  assertEquals(choice.current, path, "on another network losses count no more");
});

Deno.test("choice: a path that is held is not taken before its time", () => {
  const path = route({ heldUntil: 500 });
  const choice = new Choice<RouteState>();
  choice.update([path], 499);
  assertEquals(choice.current, undefined);
  assertEquals(choice.nextChange([path], 499), 500);
  choice.update([path], 500);
  assertEquals(choice.current, path);
});
