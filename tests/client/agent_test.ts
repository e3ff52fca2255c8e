/** The client library against the agent's side, over real sockets. */

import { AgentClient } from "../../lib/client/agent.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../assert.ts";
import { FakeAgent } from "../agent/fake_agent.ts";
import { delay, until, withServer, type World } from "../agent/raw_client.ts";

async function withClient(body: (client: AgentClient, world: World) => Promise<void>): Promise<void> {
  await withServer(async (world) => {
    await using client = await AgentClient.connect({ socket: world.path });
    await body(client, world);
  });
}

/** Listens on port 7 and sends everything back. */
async function echoServer(client: AgentClient): Promise<() => Promise<void>> {
  const listener = await client.listen(7);
  const done = (async () => {
    for await (const stream of listener) void stream.readable.pipeTo(stream.writable).catch(() => {});
  })();
  return async () => {
    await listener.close();
    await done;
  };
}

async function errorOf(promise: Promise<unknown>): Promise<PilotError> {
  return await assertRejects(() => promise, PilotError);
}

Deno.test("10 MB echo, with half close, in order", async () => {
  await withClient(async (client) => {
    const stop = await echoServer(client);
    const stream = await client.dial({ network: 0, node: 2 }, 7);
    assertEquals(stream.localAddress, { network: 0, node: 1 });
    assertEquals(stream.localPort, 49152);
    const total = 10 * 1024 * 1024;
    const sending = (async () => {
      for (let at = 0; at < total;) {
        const block = new Uint8Array(Math.min(total - at, 100_000));
        for (let i = 0; i < block.length; i++) block[i] = (at + i) % 251;
        await stream.write(block);
        block.fill(0xee);
        at += block.length;
      }
      await stream.closeWrite();
    })();
    let received = 0;
    let wrong = 0;
    for await (const chunk of stream) {
      for (let i = 0; i < chunk.length; i++) if (chunk[i] !== (received + i) % 251) wrong++;
      received += chunk.length;
    }
    await sending;
    assertEquals({ received, wrong }, { received: total, wrong: 0 });
    await stream.close();
    await stop();
  });
});

Deno.test("no agent, and a path that is no socket", async () => {
  const folder = await Deno.makeTempDir();
  const error = await errorOf(AgentClient.connect({ socket: `${folder}/none` }));
  assertEquals([error.code, error.hint], ["not_running", "pilot agent start"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("info, health, names", async () => {
  await withClient(async (client) => {
    const info = await client.info();
    assertEquals([info.node_id, info.hostname, info.pid, info.version], [1, "fake", 4711, "0.1.0"]);
    assert(info.features.includes("unbind"));
    assertEquals(await client.health(), { status: "ok", node_id: 1 });
    const address = { network: 0, node: 42 };
    assertEquals(await client.resolvePeer("42"), { address, node: 42, name: "0:0000.0000.002A" });
    assertEquals(await client.resolvePeer("0:0000.0000.002A"), {
      address,
      node: 42,
      name: "0:0000.0000.002A",
    });
    assertEquals((await client.resolvePeer("alpha")).node, 2);
    const missing = await errorOf(client.resolvePeer("beta"));
    assertEquals([missing.code, missing.message], [
      "not_found",
      "resolve_hostname: registry: request failed",
    ]);
    assertEquals(await client.setHostname("gamma"), { hostname: "gamma" });
    assertEquals(await client.setTags(["a"]), { tags: ["a"] });
    assertEquals((await errorOf(client.setTags(["a", "b", "c", "d"]))).code, "invalid_argument");
    await client.setVisibility(true);
    await client.setTaskExec(true);
    await client.deregister();
    assertEquals((await errorOf(client.setWebhook("http://127.0.0.1/"))).code, "unavailable");
  });
});

Deno.test("trust", async () => {
  await withClient(async (client, { agent }) => {
    assertEquals(await client.handshake(7, "hello"), { node_id: 7, status: "sent", mutual: false });
    assertEquals(await client.approve(7), { node_id: 7, was_pending: false });
    assertEquals(await client.reject(7, "no"), { node_id: 7, was_pending: false });
    await client.revoke(7);
    assertEquals(await client.waitForTrust(7, 100), true);
    agent.trusts = false;
    assertEquals(await client.waitForTrust(7, 1), false);
    agent.pending = [{ node_id: 5, public_key: "", justification: "please", received_at: 3 }];
    agent.trusted = [{
      node_id: 6,
      public_key: "k",
      approved_at: 4,
      mutual: true,
      network: 0,
      hostname: "six",
    }];
    assertEquals(await client.pending(), agent.pending);
    assertEquals(await client.trusted(), agent.trusted);
    agent.trustError = new PilotError("not_found", "node 7 was not trusted");
    const error = await errorOf(client.revoke(7));
    assertEquals([error.code, error.message], ["not_found", "handshake revoke: node 7 was not trusted"]);
    assertEquals(agent.actions.slice(0, 5), [
      "request 7 hello",
      "approve 7",
      "reject 7 no",
      "revoke 7",
      "wait 7 100",
    ]);
  });
});

Deno.test("dial: refused, given up by signal and by time, unknown, not trusted", async () => {
  await withClient(async (client, { agent }) => {
    const refused = await errorOf(client.dial("2", 1));
    assertEquals(refused.code, "connection_failed");
    assertStringIncludes(refused.message, "connection refused");
    const stop = new AbortController();
    const dialling = client.dial("99", 1, { signal: stop.signal });
    await delay(20);
    stop.abort(new Error("enough"));
    await assertRejects(() => dialling, Error, "enough");
    assertEquals((await errorOf(client.dial("99", 1, { timeoutMs: 30 }))).code, "timeout");
    await until(() => agent.dialsAborted === 2, "dials aborted in the agent");
    agent.dialError = new PilotError("not_trusted", "node 2 does not trust us", { hint: "ask it" });
    const untrusted = await errorOf(client.dial("2", 1));
    assertEquals([untrusted.code, untrusted.hint], ["not_trusted", "ask it"]);
    assertStringIncludes(untrusted.message, "resolve node 2: registry: request failed");
  });
});

Deno.test("one slow dial does not hold up anything else", async () => {
  await withClient(async (client) => {
    const stop = new AbortController();
    const slow = client.dial("99", 1, { signal: stop.signal }).catch(() => {});
    assertEquals((await client.info({ timeoutMs: 1000 })).node_id, 1);
    stop.abort();
    await slow;
  });
});

Deno.test("own close wakes a waiting read; a second close is the same", async () => {
  await withClient(async (client) => {
    const stop = await echoServer(client);
    const stream = await client.dial("2", 7);
    const reading = stream.read();
    await delay(5);
    const closing = stream.close();
    assertEquals(await reading, null);
    await Promise.all([closing, stream.close()]);
    assertEquals(await stream.read(), null);
    assertEquals((await errorOf(stream.write(new Uint8Array(1)))).code, "invalid_state");
    await stop();
  });
});

Deno.test("a stream that ended before it was picked up delivers its data and its end", async () => {
  await withClient(async (client) => {
    const listener = await client.listen(7);
    const near = await client.dial("2", 7);
    await near.write(new TextEncoder().encode("bye"));
    await near.close();
    await delay(20);
    const far = await listener.accept();
    assertEquals(new TextDecoder().decode(await far?.read() ?? undefined), "bye");
    assertEquals(await far?.read(), null);
    assertEquals(await far?.read(), null);
    await far?.close();
    await listener.close();
  });
});

Deno.test("reads with a time limit lose nothing", async () => {
  await withClient(async (client) => {
    const stop = await echoServer(client);
    const stream = await client.dial("2", 7);
    assertEquals((await errorOf(stream.read({ timeoutMs: 10 }))).code, "timeout");
    await stream.write(Uint8Array.of(1, 2));
    assertEquals(await stream.read({ timeoutMs: 1000 }), Uint8Array.of(1, 2));
    await stream.close();
    await stop();
  });
});

Deno.test("a reset stream: reads say so, writes fail", async () => {
  await withClient(async (client, { agent }) => {
    const stop = await echoServer(client);
    const stream = await client.dial("2", 7);
    agent.streams.get(stream.id)?.end("reset");
    const error = await errorOf(stream.read());
    assertEquals([error.code, error.message], ["connection_failed", "the peer reset the stream"]);
    await stream.write(Uint8Array.of(1)).catch(() => {});
    await until(() => true);
    await delay(20);
    await assertRejects(() => stream.write(Uint8Array.of(1)), PilotError);
    await stream.close();
    await stop();
  });
});

Deno.test("a paused stream stops its sender, not its neighbours", async () => {
  await withClient(async (client, { agent }) => {
    const listener = await client.listen(7);
    const paused = await client.dial("2", 7);
    const pausedFar = await listener.accept();
    const lively = await client.dial("2", 7);
    const livelyFar = await listener.accept();
    assert(pausedFar !== null && livelyFar !== null);
    let sent = 0;
    const flood = (async () => {
      const block = new Uint8Array(65536);
      for (; sent < 100; sent++) await paused.write(block);
      await paused.closeWrite();
    })();
    await delay(150);
    const held = sent;
    assert(held < 80, `${held} blocks of 64 KiB were taken although nobody reads`);
    assert((agent.streams.get(pausedFar.id)?.buffered ?? 0) > 0, "the rest waits in the agent");
    await lively.write(Uint8Array.of(5));
    assertEquals(await livelyFar.read({ timeoutMs: 1000 }), Uint8Array.of(5));
    let received = 0;
    for await (const chunk of pausedFar) received += chunk.length;
    assertEquals(received, 100 * 65536);
    await flood;
    for (const stream of [paused, pausedFar, lively, livelyFar]) await stream.close();
    await listener.close();
  });
});

Deno.test("a closed listener gives its port back, its streams go on", async () => {
  await withClient(async (client) => {
    const listener = await client.listen(7);
    assertEquals((await errorOf(client.listen(7))).code, "already_exists");
    const near = await client.dial("2", 7);
    const far = await listener.accept();
    await listener.close();
    assertEquals(await listener.accept(), null);
    const again = await client.listen(7);
    await near.write(Uint8Array.of(9));
    assertEquals(await far?.read({ timeoutMs: 1000 }), Uint8Array.of(9));
    await again.close();
    await far?.close();
    await near.close();
  });
});

Deno.test("datagrams: sent with confirmation, received by every loop", async () => {
  await withClient(async (client, { agent }) => {
    const first = client.datagrams();
    const second = client.datagrams();
    const one = first.next();
    const two = second.next();
    await client.sendTo("2", 5000, Uint8Array.of(1));
    assertEquals(agent.sent.length, 1);
    agent.datagramError = new PilotError("not_found", "no such node");
    const error = await errorOf(client.sendTo("2", 5000, Uint8Array.of(1)));
    assertEquals(error.code, "not_found");
    agent.deliver({
      source: { network: 0, node: 3 },
      sourcePort: 4,
      destinationPort: 5,
      data: Uint8Array.of(6),
    });
    const expected = {
      source: { network: 0, node: 3 },
      sourcePort: 4,
      destinationPort: 5,
      data: Uint8Array.of(6),
    };
    const received = [await one, await two].map(({ value }) => value && { ...value, kind: undefined });
    assertEquals(received, [{ ...expected, kind: undefined }, { ...expected, kind: undefined }]);
    await first.return(undefined);
    client.close();
    assertEquals((await second.next()).done, true);
  });
});

Deno.test("disconnect closes a stream of another socket", async () => {
  await withClient(async (client) => {
    const stop = await echoServer(client);
    const stream = await client.dial("2", 7);
    await client.disconnect(stream.id);
    await assertRejects(() => stream.read(), PilotError, "closed by this agent");
    await stream.close();
    await client.disconnect(4_000_000);
    await stop();
  });
});

Deno.test("the agent goes away: everything fails, nothing hangs", async () => {
  const agent = new FakeAgent();
  let client: AgentClient | undefined;
  let reading: Promise<unknown> = Promise.resolve();
  let accepting: Promise<unknown> = Promise.resolve();
  await withServer(async ({ path }) => {
    client = await AgentClient.connect({ socket: path });
    const listener = await client.listen(7);
    const stream = await client.dial("2", 7);
    await listener.accept();
    reading = assertRejects(() => stream.read(), PilotError);
    accepting = assertRejects(() => listener.accept(), PilotError);
  }, { agent });
  await reading;
  await accepting;
  assert(client !== undefined);
  assertEquals((await errorOf(client.info())).code, "not_running");
  client.close();
});
