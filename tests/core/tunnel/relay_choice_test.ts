import { RelayChoice } from "../../../lib/core/tunnel/relay_choice.ts";
import { assertEquals } from "../../assert.ts";

const X = { host: "203.0.113.1", port: 9001 };
const Y = { host: "203.0.113.2", port: 9001 };
const Z = { host: "203.0.113.3", port: 9001 };

function relays(...endpoints: { host: string; port: number; doubtful?: true }[]) {
  return endpoints.map(({ host, port, doubtful }) => ({
    endpoint: { host, port },
    isDoubtful: doubtful ?? false,
  }));
}

const ALL = relays(X, Y, Z);
const LOUD = { isSilent: false };

function hear(choice: RelayChoice, beacon: typeof X, now: number, isTraffic = true): void {
  choice.noteHeard(beacon, { relays: ALL, wasSilent: false, isTraffic, now });
}

/** The choice of one who has heard the peer by `beacon`. */
function heardBy(beacon: typeof X, isFirst = true): RelayChoice {
  const choice = new RelayChoice({ isFirst });
  hear(choice, beacon, 0);
  return choice;
}

Deno.test("relay choice: all beacons, until the peer was heard by one, and while it is silent", () => {
  const choice = new RelayChoice({ isFirst: true });
  assertEquals(choice.choose(ALL, LOUD), undefined);
  hear(choice, Y, 0);
  assertEquals(choice.choose(ALL, LOUD), [Y]);
  assertEquals(choice.choose(ALL, { isSilent: true }), undefined);
  assertEquals(choice.choose(relays(X, Z), LOUD), undefined, "the one in use answers no more");
});

Deno.test("relay choice: beside one in doubt the best other one is used", () => {
  const choice = heardBy(Y);
  assertEquals(choice.choose(relays(X, { ...Y, doubtful: true }), LOUD), [Y, X]);
  assertEquals(heardBy(X).choose(relays({ ...X, doubtful: true }, Y), LOUD), [X, Y]);
  assertEquals(heardBy(X).choose(relays({ ...X, doubtful: true }), LOUD), [X]);
});

Deno.test("relay choice: traffic that stays with another beacon is followed, stray frames and probes are not", () => {
  const choice = heardBy(X);
  hear(choice, Y, 1_000);
  hear(choice, X, 1_100);
  hear(choice, Y, 1_200);
  hear(choice, Y, 1_499);
  assertEquals(choice.choose(ALL, LOUD), [X]);
  hear(choice, Y, 9_000, false);
  assertEquals(choice.choose(ALL, LOUD), [X]);
  hear(choice, Y, 9_000);
  assertEquals(choice.choose(ALL, LOUD), [Y]);
});

Deno.test("relay choice: two ends that use different beacons meet, and stay", () => {
  for (const delay of [1, 50, 200]) {
    const first = heardBy(X, true);
    const second = heardBy(Y, false);
    const inFlight: { at: number; to: RelayChoice; by: typeof X }[] = [];
    let changes = 0;
    let before = "";
    for (let now = 0; now < 20_000; now += 10) {
      for (const [from, to] of [[first, second], [second, first]] as const) {
        for (const by of from.choose(ALL, LOUD) ?? []) inFlight.push({ at: now + delay, to, by });
      }
      while ((inFlight[0]?.at ?? Infinity) <= now) {
        const flight = inFlight.shift();
        if (flight !== undefined) hear(flight.to, flight.by, now);
      }
      const state = JSON.stringify([first.choose(ALL, LOUD), second.choose(ALL, LOUD)]);
      if (state !== before) changes++;
      before = state;
    }
    assertEquals(changes, 2, `with a delay of ${delay} ms`);
    assertEquals(first.choose(ALL, LOUD), second.choose(ALL, LOUD));
  }
});

Deno.test("relay choice: the best beacon takes over when it has proven to be clearly faster to the peer", () => {
  const race = (chosenMs: number, bestMs: number) => {
    const choice = heardBy(Y);
    assertEquals(choice.probe(1, ALL, 0), [{ kind: "relay" }, { kind: "relay", beacon: X }]);
    if (chosenMs < Infinity) choice.handleAnswer(1, Y, chosenMs);
    if (bestMs < Infinity) choice.handleAnswer(1, X, bestMs);
    choice.handleAnswer(99, X, 1);
    choice.probe(2, ALL, 20_000);
    return choice.choose(ALL, LOUD);
  };
  assertEquals(race(100, 50), [X]);
  assertEquals(race(Infinity, 50), [X]);
  assertEquals(race(100, 90), [Y]);
  assertEquals(race(6, 2), [Y], "too little to gain");
  assertEquals(race(100, Infinity), [Y]);
  assertEquals(race(Infinity, Infinity), [Y]);
});

Deno.test("relay choice: a peer on the best beacon is probed once", () => {
  assertEquals(heardBy(X).probe(1, ALL, 0), [{ kind: "relay" }]);
  assertEquals(new RelayChoice({ isFirst: true }).probe(1, ALL, 0), [{ kind: "relay" }]);
});
