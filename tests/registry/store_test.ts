import { MemoryStore } from "../../lib/registry/memory_store.ts";
import type { NodeRecord, Store } from "../../lib/registry/store.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { SqliteStore } from "../../services/registry/store/sqlite.ts";
import { assert, assertEquals, assertThrows } from "../assert.ts";
import { KEY_A, KEY_B, World } from "./fixture.ts";

const RECORD: NodeRecord = {
  id: 4_294_967_294,
  publicKey: "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
  owner: "ops@example.com",
  live: true,
  endpoint: "[2001:db8::1]:4000",
  announced: "",
  lanAddresses: ["192.168.1.5:4000"],
  relayOnly: false,
  lastSeen: 1_768_471_200_123,
  signed: true,
  public: false,
  tags: ["a", "b"],
  taskExec: true,
  score: -50,
};

/** Runs `body` with a path in a directory of its own. */
function withPath(body: (path: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    body(`${directory}/registry.db`);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** The same checks for both stores; `reopen` gives the store as the next process would see it. */
function checkStore(first: Store, reopen: (store: Store) => Store): void {
  let store = first;
  assertEquals(store.nextNode(), undefined);
  store.setNextNode(1001);
  store.putNode(RECORD);
  const other = { ...RECORD, id: 7, publicKey: "other", owner: "", live: false, lastSeen: 5 };
  store.putNode(other);
  store.putNode({ ...RECORD, id: 8, publicKey: "third", owner: "" });
  store.revokeKey("gone", 7);
  store.putName({ hostname: "alpha", node: 7, reservedUntil: undefined });
  store.putName({ hostname: "beta", node: 8, reservedUntil: 77 });
  store.putTrust({ node: 7, peer: 8, state: "asked", at: 9 });
  store.putTrust({ node: 7, peer: 8, state: "asserted", at: 10 });
  const one = store.putInbox({
    node: 7,
    message: { kind: "request", from: 8, justification: "日本" },
    at: 11,
  });
  const two = store.putInbox({ node: 7, message: { kind: "response", from: 8, accept: true }, at: 12 });
  assert(two > one);

  store = reopen(store);
  assertEquals(store.nextNode(), 1001);
  assertEquals(store.node(RECORD.id), RECORD);
  assertEquals(store.nodeByKey(RECORD.publicKey), RECORD);
  assertEquals(store.nodeByOwner("ops@example.com"), RECORD);
  assertEquals(store.nodeByOwner(""), undefined);
  assertEquals(store.node(7), other);
  assertEquals(store.node(9), undefined);
  assertEquals(store.nodeByKey("nobody"), undefined);
  assertEquals(store.countLive(), 2);
  assertEquals([store.isRevoked("gone"), store.isRevoked("other")], [true, false]);
  assertEquals(store.name("alpha"), { hostname: "alpha", node: 7, reservedUntil: undefined });
  assertEquals(store.nameOf(8), { hostname: "beta", node: 8, reservedUntil: 77 });
  assertEquals(store.trust(7, 8), { node: 7, peer: 8, state: "asserted", at: 10 });
  assertEquals(store.trust(8, 7), undefined);
  assertEquals([store.countTrust(7), store.countTrust(8)], [1, 0]);
  assertEquals(store.inbox(7), [
    { sequence: one, node: 7, message: { kind: "request", from: 8, justification: "日本" }, at: 11 },
    { sequence: two, node: 7, message: { kind: "response", from: 8, accept: true }, at: 12 },
  ]);

  // A new key and owner replace the old ones in the indexes.
  store.putNode({ ...RECORD, publicKey: "new", owner: "new@example.com" });
  assertEquals(store.nodeByKey(RECORD.publicKey), undefined);
  assertEquals(store.nodeByOwner(RECORD.owner), undefined);
  assertEquals(store.nodeByKey("new")?.id, RECORD.id);
  // A name leaves its former node, a node its former name.
  store.putName({ hostname: "alpha", node: 8, reservedUntil: undefined });
  assertEquals([store.nameOf(7), store.name("beta"), store.nameOf(8)?.hostname], [
    undefined,
    undefined,
    "alpha",
  ]);
  store.removeName("alpha");
  store.removeName("alpha");
  assertEquals([store.name("alpha"), store.nameOf(8)], [undefined, undefined]);
  // Touching moves a node out of the stale ones at once.
  assertEquals(store.staleNodes(RECORD.lastSeen + 1).map((node) => node.id).sort((x, y) => x - y), [
    8,
    RECORD.id,
  ]);
  store.touchNode(8, RECORD.lastSeen + 1);
  assertEquals(store.node(8)?.lastSeen, RECORD.lastSeen + 1);
  assertEquals(store.staleNodes(RECORD.lastSeen + 1).map((node) => node.id), [RECORD.id]);
  // Only messages of the node itself are removed; numbers are not used again.
  store.removeInbox(8, [one, two]);
  assertEquals(store.inbox(7).length, 2);
  store.removeInbox(7, [two]);
  const three = store.putInbox({ node: 7, message: { kind: "response", from: 8, accept: false }, at: 13 });
  assert(three > two);
  store.expireInbox(13);
  assertEquals(store.inbox(7).map((item) => item.sequence), [three]);
}

Deno.test("the memory store keeps what it is given", () => {
  checkStore(new MemoryStore(), (store) => store);
});

Deno.test("the file store keeps what it is given, also for the next process", () => {
  withPath((path) => {
    const open: SqliteStore[] = [SqliteStore.open(path)];
    const first = open[0];
    assert(first !== undefined);
    checkStore(first, () => {
      open.pop()?.close();
      const next = SqliteStore.open(path);
      open.push(next);
      return next;
    });
    open.pop()?.close();
  });
});

Deno.test("a failing transaction leaves the file as it was", () => {
  withPath((path) => {
    const store = SqliteStore.open(path);
    const fail = () =>
      store.transaction(() => {
        store.putNode(RECORD);
        store.setNextNode(5);
        throw new TypeError("boom");
      });
    assertThrows(fail, TypeError, "boom");
    assertEquals([store.node(RECORD.id), store.nextNode()], [undefined, undefined]);
    // An inner transaction belongs to the outer one.
    store.transaction(() => store.transaction(() => store.putNode(RECORD)));
    store.close();
    const again = SqliteStore.open(path);
    assertEquals(again.node(RECORD.id), RECORD);
    again.close();
  });
});

Deno.test("the file is private, and so is a directory made for it", () => {
  if (Deno.build.os === "windows") return;
  withPath((path) => {
    const nested = `${path}.d/deep/registry.db`;
    SqliteStore.open(nested).close();
    assertEquals((Deno.statSync(nested).mode ?? 0) & 0o777, 0o600);
    assertEquals((Deno.statSync(`${path}.d/deep`).mode ?? 0) & 0o777, 0o700);
    Deno.chmodSync(nested, 0o644);
    const store = SqliteStore.open(nested);
    store.setNextNode(9);
    for (const entry of Deno.readDirSync(`${path}.d/deep`)) {
      assertEquals((Deno.statSync(`${path}.d/deep/${entry.name}`).mode ?? 0) & 0o077, 0, entry.name);
    }
    store.close();
  });
});

Deno.test("an empty file becomes a registry", () => {
  withPath((path) => {
    Deno.writeFileSync(path, new Uint8Array());
    const store = SqliteStore.open(path);
    store.setNextNode(5);
    store.close();
    const again = SqliteStore.open(path);
    assertEquals(again.nextNode(), 5);
    again.close();
  });
});

Deno.test("a foreign file is refused and not touched", async () => {
  const { DatabaseSync } = await import("node:sqlite");
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/registry.db`;
  const foreign = new DatabaseSync(path);
  foreign.exec("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine')");
  foreign.close();
  const contents = [
    Deno.readFileSync(path),
    new TextEncoder().encode('{"next_node":13,"nodes":{}}'),
    new TextEncoder().encode("x"),
    new Uint8Array(100_000),
  ];
  for (const content of contents) {
    Deno.writeFileSync(path, content);
    const error = assertThrows(() => SqliteStore.open(path), PilotError);
    assertEquals(error.code, "corrupt_file");
    assertEquals(Deno.readFileSync(path), content);
  }
  assertEquals([...Deno.readDirSync(directory)].map((entry) => entry.name), ["registry.db"]);
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("a damaged registry is refused and not touched", () => {
  withPath((path) => {
    const store = SqliteStore.open(path);
    const world = new World({ exemptLoopback: true }, store);
    world.join(KEY_A, { hostname: "alpha" });
    store.close();
    const good = Deno.readFileSync(path);
    const damages: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
      (bytes) => bytes.slice(0, 5_000),
      (bytes) => bytes.slice(0, 99),
      (bytes) => bytes.fill(0xff, 100, bytes.length),
      (bytes) => bytes.fill(0, 4096, bytes.length),
    ];
    for (const damage of damages) {
      const bad = damage(good.slice());
      Deno.writeFileSync(path, bad);
      const error = assertThrows(() => SqliteStore.open(path), PilotError);
      assertEquals(error.code, "corrupt_file");
      assert(error.hint !== undefined);
      assertEquals(Deno.readFileSync(path), bad);
    }
    Deno.writeFileSync(path, good);
    const again = SqliteStore.open(path);
    assertEquals(again.nameOf(1000)?.hostname, "alpha");
    again.close();
  });
});

Deno.test("a file of a newer version is refused and not touched", () => {
  withPath((path) => {
    SqliteStore.open(path).close();
    const bytes = Deno.readFileSync(path);
    new DataView(bytes.buffer).setUint32(60, 2);
    Deno.writeFileSync(path, bytes);
    const error = assertThrows(() => SqliteStore.open(path), PilotError);
    assertEquals(error.code, "invalid_state");
    assertEquals(Deno.readFileSync(path), bytes);
  });
});

Deno.test("a store in use is refused, in this process and in another, and free again afterwards", async () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/registry.db`;
  const store = SqliteStore.open(path);
  const error = assertThrows(() => SqliteStore.open(path), PilotError);
  assertEquals(error.code, "already_exists");
  const module = import.meta.resolve("../../services/registry/store/sqlite.ts");
  const other = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { SqliteStore } from "${module}";
       try { SqliteStore.open(${
        JSON.stringify(path)
      }); console.log("opened"); } catch (e) { console.log(e.code); }`,
    ],
    stderr: "null",
  }).output();
  assertEquals(new TextDecoder().decode(other.stdout).trim(), "already_exists");
  store.setNextNode(3);
  store.close();
  const next = SqliteStore.open(path);
  assertEquals(next.nextNode(), 3);
  next.close();
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("a registry on a file goes on where it was stopped", () => {
  withPath((path) => {
    const before = SqliteStore.open(path);
    const world = new World({}, before);
    const a = world.join(KEY_A, { hostname: "alpha", owner: "ops@example.com" });
    const b = world.join(KEY_B, { host: "203.0.113.9", sign: true });
    a.ok({ type: "set_tags", node_id: a.id, tags: ["api"] });
    a.ok({ type: "set_visibility", node_id: a.id, public: true });
    a.ok({ type: "set_task_exec", node_id: a.id, enabled: true });
    a.ask(b, "hello");
    b.trust(a);
    const shown = world.lookup(a.id);
    before.close();

    const after = SqliteStore.open(path);
    const again = new World({}, after);
    assertEquals(again.lookup(a.id), shown);
    const b2 = again.join(KEY_B, { host: "203.0.113.9", sign: true });
    assertEquals(b2.id, b.id);
    assertEquals(b2.poll().requests.map((request) => request.justification), ["hello"]);
    assertEquals(b2.resolve(a), "198.51.100.7:4000");
    const a2 = again.join(KEY_A);
    assertEquals(a2.resolve(b), "203.0.113.9:4000");
    assertEquals(
      again.refusal({ type: "register", public_key: b.reply.public_key, listen_addr: "" }),
      "bad_signature",
    );
    after.close();
  });
});
