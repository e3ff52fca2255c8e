/** Who may reach us: the whole table, and the reply window. */

import { assert, assertEquals } from "../assert.ts";
import { PORT_HANDSHAKE } from "../../lib/core/constants.ts";
import { REPLY_WINDOW_MS, REPLY_WINDOW_PEERS } from "../../lib/core/trust_constants.ts";
import { admits, mayExchangeKeys, ReplyWindow, type Standing } from "../../lib/core/trust_policy.ts";
import { Trust } from "../../lib/core/trust.ts";
import { EPOCH_MS, identityOf, TrustWorld } from "./trust_world.ts";

const STRANGER: Standing = {
  denied: false,
  trusted: false,
  awaited: false,
  dialled: false,
  answered: false,
  open: false,
};

Deno.test("the policy table, every combination of standings", () => {
  const replyPorts = new Set([1001]);
  const rows: readonly (readonly [
    Partial<Standing>,
    exchange: boolean,
    p444: boolean,
    p1001: boolean,
    p80: boolean,
  ])[] = [
    [{}, false, false, false, false],
    [{ dialled: true }, true, true, false, false],
    [{ dialled: true, answered: true }, true, true, true, false],
    [{ awaited: true }, true, true, false, false],
    [{ trusted: true }, true, true, true, true],
    [{ open: true }, true, true, true, true],
  ];
  for (let bits = 0; bits < 64; bits++) {
    const standing: Standing = {
      dialled: (bits & 33) !== 0,
      // Only who was dialled can answer.
      answered: (bits & 32) !== 0,
      awaited: (bits & 2) !== 0,
      trusted: (bits & 4) !== 0,
      open: (bits & 8) !== 0,
      denied: (bits & 16) !== 0,
    };
    // Rights add up, except that denial takes them all.
    const right = (column: 1 | 2 | 3 | 4): boolean =>
      !standing.denied &&
      rows.some((row) =>
        row[column] && Object.keys(row[0]).every((name) =>
          name === "dialled" && standing.dialled || name === "answered" && standing.answered ||
          name === "awaited" && standing.awaited ||
          name === "trusted" && standing.trusted || name === "open" && standing.open
        )
      );
    const text = JSON.stringify(standing);
    assertEquals(mayExchangeKeys(standing), right(1), text);
    assertEquals(admits(standing, PORT_HANDSHAKE, replyPorts), right(2), text);
    assertEquals(admits(standing, 1001, replyPorts), right(3), text);
    for (const port of [0, 7, 80, 1000, 65535]) {
      assertEquals(admits(standing, port, replyPorts), right(4), `${port} ${text}`);
    }
  }
});

Deno.test("a stranger gets nothing from a private node on any port", () => {
  const { a, b, now } = new TrustWorld();
  assert(!a.trust.mayExchangeKeys(b.id, now));
  for (let port = 0; port <= 65535; port++) {
    if (a.trust.admits(b.id, port, now)) throw new Error(`port ${port} is open`);
  }
  assert(!admits(STRANGER, PORT_HANDSHAKE, new Set([PORT_HANDSHAKE])));
});

Deno.test("a waiting request gives no access", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.handleRelayedRequest({ from: b.id, justification: "" }, world.now);
  assertEquals(a.trust.pending().length, 1);
  assert(!a.trust.mayExchangeKeys(b.id, world.now));
  assert(!a.trust.admits(b.id, PORT_HANDSHAKE, world.now));
});

Deno.test("an awaited peer may exchange keys and open port 444, nothing else", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  a.trust.request(b.id, { justification: "", now: world.now });
  assert(a.trust.mayExchangeKeys(b.id, world.now));
  assert(a.trust.admits(b.id, PORT_HANDSHAKE, world.now));
  for (const port of [0, 7, 1000, 1001]) assert(!a.trust.admits(b.id, port, world.now), `${port}`);
});

Deno.test("a dialled peer may come back to port 444 for five minutes, to reply ports if there are any", () => {
  const options = {
    self: () => 5,
    identity: identityOf(5),
    unixTime: (now: number) => EPOCH_MS + now,
    isPublic: () => false,
  };
  const strict = new Trust(options);
  const open = new Trust({ ...options, replyPorts: [1001] });
  for (const trust of [strict, open]) {
    trust.noteDialed(7, 0);
    assert(trust.mayExchangeKeys(7, 0));
    assert(trust.admits(7, PORT_HANDSHAKE, REPLY_WINDOW_MS - 1));
    assert(!trust.admits(7, 1001, 0), "it has not taken the connection");
    trust.noteAnswered(7, 0);
    assertEquals(trust.admits(7, 1001, 0), trust === open);
    assert(!trust.admits(7, 1000, 0));
    assert(!trust.admits(9, PORT_HANDSHAKE, 0), "only that peer");
    assert(!trust.mayExchangeKeys(7, REPLY_WINDOW_MS));
    trust.noteDialed(7, REPLY_WINDOW_MS);
    assert(trust.mayExchangeKeys(7, 2 * REPLY_WINDOW_MS - 1), "another dial opens it again");
  }
});

Deno.test("the reply window holds a bounded number of peers and forgets the oldest", () => {
  const window = new ReplyWindow();
  for (let node = 1; node <= REPLY_WINDOW_PEERS; node++) window.note(node, 0);
  window.note(1, 1);
  window.note(REPLY_WINDOW_PEERS + 1, 1);
  assert(window.isOpen(1, 2), "renewed");
  assert(!window.isOpen(2, 2), "made room");
  assert(window.isOpen(3, 2));
});

Deno.test("a denied peer is not let in by dialling it", () => {
  const world = new TrustWorld();
  const { a, b } = world;
  world.befriend(a, b);
  a.trust.revoke(b.id, world.now);
  world.settle();
  a.trust.noteDialed(b.id, world.now);
  assert(!a.trust.mayExchangeKeys(b.id, world.now));
});

Deno.test("a public node admits everybody but the denied, and turns private at once", () => {
  const world = new TrustWorld();
  const { a, b, c } = world;
  world.befriend(a, b);
  a.isPublic = true;
  assert(a.trust.admits(c.id, 80, world.now));
  a.trust.revoke(b.id, world.now);
  world.settle();
  assert(!a.trust.admits(b.id, 80, world.now));
  a.isPublic = false;
  assert(!a.trust.admits(c.id, 80, world.now));
});
