import { generateIdentity, type Identity } from "../../lib/crypto/identity.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { concatBytes, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { SqliteStore } from "../../services/registry/store/sqlite.ts";
import { assert, assertEquals, assertLess, assertRejects } from "../assert.ts";
import { assertReply, CONVERSATION, startAtEleven } from "./conversation.ts";
import { KEY_A, KEY_B, keyText, signed } from "./fixture.ts";
import { frame, member, RawClient, withServer } from "./tcp.ts";

const LIST = { type: "list_networks" };

async function join(client: RawClient, key: Identity): Promise<number> {
  const reply = await client.ask({ type: "register", public_key: keyText(key), listen_addr: ":4000" });
  const id = member(reply, "node_id");
  assert(typeof id === "number", JSON.stringify(reply));
  return id;
}

/** The same with all addresses on this computer and all times 0. */
function atHome(message: unknown): object {
  const text = JSON.stringify(message).replaceAll(/198\.51\.100\.7|203\.0\.113\.9/g, "127.0.0.1");
  return JSON.parse(text, (name, value) => name === "time" || name === "timestamp" ? 0 : value);
}

Deno.test("a program of the public network is served byte for byte", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/registry.db`;
  const store = SqliteStore.open(path);
  startAtEleven(store);
  store.close();
  await withServer({ store: path }, async ({ port }) => {
    const a = await RawClient.connect(port);
    const b = await RawClient.connect(port);
    for (const [host, request, expected] of CONVERSATION) {
      // Here both are at 127.0.0.1 and time is what it is.
      const reply = await (host === "A" ? a : b).ask(atHome(request));
      assertReply(atHome(reply), atHome(expected));
    }
    a.close();
    b.close();
  });
  await Deno.remove(directory, { recursive: true });
});

Deno.test("the wire format is a big-endian length and a JSON object", async () => {
  await withServer({}, async ({ port }) => {
    const client = await RawClient.connect(port);
    await client.send(
      fromHex("00 00 00 18 7b 22 74 79 70 65 22 3a 22 6c 69 73 74 5f 6e 65 74 77 6f 72 6b 73 22 7d"),
    );
    const expected =
      '{"type":"list_networks_ok","networks":[{"id":0,"name":"backbone","members":0,"join_rule":"open"}]}';
    const bytes = new Uint8Array(1000);
    let length = 0;
    while (length < 4 + expected.length) length += await client.socket.read(bytes.subarray(length)) ?? 1000;
    assertEquals(toHex(bytes.subarray(0, 4)), expected.length.toString(16).padStart(8, "0"));
    assertEquals(new TextDecoder().decode(bytes.subarray(4, length)), expected);
    client.close();
  });
});

Deno.test("replies come in order, however the requests were cut", async () => {
  await withServer({}, async ({ port }) => {
    const client = await RawClient.connect(port);
    const requests = Array.from({ length: 50 }, (_, i) => ({ type: "lookup", node_id: 5000 + i }));
    const bytes = concatBytes(...requests.map(frame));
    // All at once, then byte by byte for a while, then in odd pieces.
    await client.send(bytes);
    for (let i = 0; i < 200; i++) await client.send(bytes.subarray(i, i + 1));
    for (let i = 200; i < bytes.length; i += 37) {
      await client.send(bytes.subarray(i, Math.min(i + 37, bytes.length)));
    }
    for (const { node_id } of [...requests, ...requests]) {
      assertEquals(
        member(await client.receive(), "error"),
        `request failed: node ${node_id} is not registered`,
      );
    }
    client.close();
  });
});

Deno.test("a bad frame ends its own connection without a word, and no other", async () => {
  await withServer({}, async ({ port }) => {
    const good = await RawClient.connect(port);
    const bad = [
      fromHex("00 10 00 01"),
      fromHex("ff ff ff ff 7b 7d"),
      fromHex("00 00 00 00"),
      frame("[]"),
      frame('"text"'),
      frame("5"),
      frame("true"),
      frame('{"type":"list_networks"} x'),
      frame('{"type":'),
      frame("\u0000\u0001"),
      new TextEncoder().encode("GET / HTTP/1.1\r\nHost: registry\r\n\r\n"),
    ];
    for (const bytes of bad) {
      const client = await RawClient.connect(port);
      await client.send(bytes);
      assertEquals(await client.receive(), undefined, toHex(bytes));
      client.close();
      assertEquals(member(await good.ask(LIST), "type"), "list_networks_ok");
    }
    // What came before the bad frame is answered.
    const client = await RawClient.connect(port);
    await client.send(concatBytes(frame(LIST), fromHex("ff ff ff ff")));
    assertEquals(member(await client.receive(), "type"), "list_networks_ok");
    assertEquals(await client.receive(), undefined);
    client.close();
    assertEquals(member(await good.ask("null"), "code"), "unknown_type");
    good.close();
  });
});

Deno.test("the largest frame is accepted", async () => {
  await withServer({}, async ({ port }) => {
    const client = await RawClient.connect(port);
    const empty = JSON.stringify({ ...LIST, padding: "" });
    const body = JSON.stringify({ ...LIST, padding: "x".repeat(1_048_576 - empty.length) });
    assertEquals(body.length, 1_048_576);
    assertEquals(member(await client.ask(body), "type"), "list_networks_ok");
    await client.send(frame(body + " ").subarray(0, 1000));
    assertEquals(await client.receive(), undefined);
    client.close();
  });
});

Deno.test("half a frame costs its sender the connection after the deadline", async () => {
  await withServer({ limits: { readDeadlineMs: 150 } }, async ({ port }) => {
    const started = performance.now();
    const half = await RawClient.connect(port);
    await half.send(frame(LIST).subarray(0, 10));
    const idle = await RawClient.connect(port);
    assertEquals(await half.receive(), undefined);
    assertEquals(await idle.receive(), undefined);
    assertLess(performance.now() - started, 5_000);
    half.close();
    idle.close();
    // Somebody who keeps asking stays, for much longer than the deadline.
    const busy = await RawClient.connect(port);
    for (let i = 0; i < 8; i++) {
      assertEquals(member(await busy.ask(LIST), "type"), "list_networks_ok");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    busy.close();
  });
});

Deno.test("a client that does not read its replies is dropped, others do not notice", async () => {
  await withServer({ limits: { writeDeadlineMs: 200 } }, async ({ port }) => {
    const greedy = await RawClient.connect(port);
    const good = await RawClient.connect(port);
    const flood = concatBytes(...Array.from({ length: 2_000 }, () => frame(LIST)));
    const flooding = (async () => {
      for (let i = 0; i < 400; i++) await greedy.send(flood);
      return "took it all";
    })().catch(() => "dropped");
    for (let i = 0; i < 5; i++) {
      const started = performance.now();
      assertEquals(member(await good.ask(LIST), "type"), "list_networks_ok");
      assertLess(performance.now() - started, 2_000);
    }
    assertEquals(await flooding, "dropped");
    greedy.close();
    good.close();
  });
});

Deno.test("connections have a limit, in all and per source", async () => {
  for (const limits of [{ connections: 3 }, { connectionsPerSource: 3 }]) {
    await withServer({ limits }, async ({ port }) => {
      const clients: RawClient[] = [];
      for (let i = 0; i < 3; i++) {
        const client = await RawClient.connect(port);
        assertEquals(member(await client.ask(LIST), "type"), "list_networks_ok");
        clients.push(client);
      }
      const surplus = await RawClient.connect(port);
      assertEquals(await surplus.receive(), undefined);
      surplus.close();
      clients.pop()?.close();
      // The place is free as soon as the server has noticed.
      for (let tries = 0;; tries++) {
        assertLess(tries, 100);
        const next = await RawClient.connect(port);
        const reply = await next.ask(LIST).catch(() => undefined);
        next.close();
        if (reply !== undefined) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      for (const client of clients) client.close();
    });
  }
});

Deno.test("unfinished messages have a limit in all", async () => {
  await withServer({ limits: { heldBytes: 100_000 } }, async ({ port }) => {
    const half = frame(`{"padding":"${"x".repeat(900_000)}"}`).subarray(0, 90_000);
    const first = await RawClient.connect(port);
    await first.send(half);
    const second = await RawClient.connect(port);
    await second.send(half).catch(() => {});
    assertEquals(await second.receive(), undefined);
    // Small requests are served all the same.
    const third = await RawClient.connect(port);
    assertEquals(member(await third.ask(LIST), "type"), "list_networks_ok");
    for (const client of [first, second, third]) client.close();
  });
});

Deno.test("a thousand clients at once are all answered", async () => {
  await withServer({}, async ({ port }) => {
    const clients: RawClient[] = [];
    for (let i = 0; i < 1_000; i++) clients.push(await RawClient.connect(port));
    const replies = await Promise.all(clients.map((client) => client.ask(LIST)));
    assertEquals(replies.filter((reply) => member(reply, "type") === "list_networks_ok").length, 1_000);
    for (const client of clients) client.close();
  });
});

Deno.test("a waiting poll is answered when a message comes, and otherwise when its time is over", async () => {
  await withServer({}, async ({ port }) => {
    const [a, b] = [await RawClient.connect(port), await RawClient.connect(port)];
    const [idA, idB] = [await join(a, KEY_A), await join(b, KEY_B)];
    const poll = (wait_ms: number) =>
      signed({ type: "poll_handshakes", node_id: idB, wait_ms, ack: 0 }, KEY_B);
    let started = performance.now();
    const empty = await b.ask(poll(100));
    assert(performance.now() - started >= 90);
    assertEquals([member(empty, "type"), member(empty, "requests")], ["poll_handshakes_ok", []]);

    started = performance.now();
    // The request behind the poll is answered after it.
    await b.send(concatBytes(frame(poll(60_000)), frame(LIST)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const ask = {
      type: "request_handshake",
      from_node_id: idA,
      to_node_id: idB,
      justification: "now",
    } as const;
    assertEquals(member(await a.ask(signed(ask, KEY_A)), "type"), "request_handshake_ok");
    const polled = await b.receive();
    assertLess(performance.now() - started, 5_000);
    const [request] = member(polled, "requests") as readonly unknown[];
    assertEquals(member(request, "justification"), "now");
    assertEquals(member(await b.receive(), "type"), "list_networks_ok");
    a.close();
    b.close();
  });
});

Deno.test("a message is not lost to a poll whose client has left", async () => {
  await withServer({}, async ({ port }) => {
    const [a, b, c] = [
      await RawClient.connect(port),
      await RawClient.connect(port),
      await RawClient.connect(port),
    ];
    const [idA, idB] = [await join(a, KEY_A), await join(b, KEY_B)];
    // Without `ack`, so that a reply to nobody would lose the message.
    await b.send(frame(signed({ type: "poll_handshakes", node_id: idB, wait_ms: 60_000 }, KEY_B)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    b.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const ask = {
      type: "request_handshake",
      from_node_id: idA,
      to_node_id: idB,
      justification: "kept",
    } as const;
    await a.ask(signed(ask, KEY_A));
    const polled = await c.ask(signed({ type: "poll_handshakes", node_id: idB }, KEY_B));
    const [request] = member(polled, "requests") as readonly unknown[];
    assertEquals(member(request, "justification"), "kept");
    a.close();
    c.close();
  });
});

Deno.test("of many waiting polls of one node the oldest is let go", async () => {
  await withServer({}, async ({ port }) => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(port)));
    const [first] = clients;
    assert(first !== undefined);
    const id = await join(first, KEY_A);
    const poll = frame(signed({ type: "poll_handshakes", node_id: id, wait_ms: 60_000, ack: 0 }, KEY_A));
    for (const client of clients) {
      await client.send(poll);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(member(await first.receive(), "type"), "poll_handshakes_ok");
    for (const client of clients) client.close();
  });
});

Deno.test("the server stops in order, waiting polls included, and frees port and store", async () => {
  await withServer({}, async ({ port, store, stop }) => {
    const client = await RawClient.connect(port);
    const id = await join(client, KEY_A);
    await client.send(frame(signed({ type: "poll_handshakes", node_id: id, wait_ms: 60_000 }, KEY_A)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const started = performance.now();
    await stop();
    assertLess(performance.now() - started, 2_000);
    client.close();
    await withServer({ listen: `127.0.0.1:${port}`, store }, async (again) => {
      const client = await RawClient.connect(again.port);
      assertEquals(await join(client, KEY_A), id);
      client.close();
    });
  });
});

Deno.test("a port in use, a bad address and a bad store are told apart", async () => {
  await withServer({}, async ({ port, store }) => {
    const listen = `127.0.0.1:${port}`;
    const used = await assertRejects(
      () => withServer({ listen }, async () => {}),
      PilotError,
      `port ${port}`,
    );
    assertEquals(used.code, "already_exists");
    assert(used.hint?.includes("--listen"));
    const both = await assertRejects(() => withServer({ store }, async () => {}), PilotError, "in use");
    assertEquals(both.code, "already_exists");
    for (const listen of ["nonsense", "127.0.0.1", "127.0.0.1:99999", "192.0.2.1:0"]) {
      const error = await assertRejects(() => withServer({ listen }, async () => {}), PilotError);
      assertEquals(error.code, "invalid_argument", listen);
    }
    const text = `${store}.txt`;
    await Deno.writeTextFile(text, "not a database");
    const corrupt = await assertRejects(() => withServer({ store: text }, async () => {}), PilotError);
    assertEquals(corrupt.code, "corrupt_file");
    assertEquals(await Deno.readTextFile(text), "not a database");
  });
});

Deno.test("without a host it listens on all addresses, and IPv4 clients look like IPv4", async () => {
  await withServer({ listen: ":0" }, async ({ port }) => {
    const client = await RawClient.connect(port);
    const key = generateIdentity(systemRandom);
    const reply = await client.ask({ type: "register", public_key: keyText(key), listen_addr: ":4000" });
    assertEquals(member(reply, "real_addr"), "127.0.0.1:4000");
    client.close();
  });
});
