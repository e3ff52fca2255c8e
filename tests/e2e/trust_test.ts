/** Trust as it is asked for, granted, refused and taken back. */

import { AgentClient } from "../../lib/client/agent.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { befriend, type Computer, inNetwork } from "./network.ts";
import { at, listAt, soon, until } from "./process.ts";

const STRANGERS = { agents: ["agent-a", "agent-b"] } as const;
const FRIENDS = { ...STRANGERS, friends: [["agent-a", "agent-b"]] } as const;

/** Asserts that neither side gets a message to the other. */
async function assertNoTrust(a: Computer, b: Computer): Promise<void> {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    const { code, hint } = await from.refused(["connect", to.name, "--message", "let me in"]);
    assertEquals(code, "not_trusted", `${from.name} to ${to.name}`);
    assertStringIncludes(hint, `pilot trust add ${to.name}`);
  }
}

Deno.test("a removed trust closes the streams, refuses both sides, and can be had again", async () => {
  await inNetwork(FRIENDS, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const [nodeA, nodeB] = [await a.node(), await b.node()];
    await a.send("agent-b", "1");
    await b.send("agent-a", "1");
    for (const [remover, other] of [[a, b], [b, a]] as const) {
      const peer = remover === a ? nodeB : nodeA;
      const ended = await withOpenStream(a, { to: nodeB, at: b }, async () => {
        assertEquals(at(await remover.data(["trust", "remove", other.name]), "node_id"), peer);
      });
      assertEquals(ended, ["ended", "ended"]);
      for (const computer of [a, b]) {
        await until(`${computer.name} trusts nobody`, async () => (await computer.trusted()).length === 0);
        const connections = listAt(await computer.data(["connections"]), "connections");
        assertEquals(connections.filter((connection) => at(connection, "state") === "ESTABLISHED"), []);
      }
      await assertNoTrust(a, b);
      const again = await remover.refused(["trust", "remove", other.name]);
      assertEquals(again.code, "not_found");
      await befriend(other, remover);
      await a.send("agent-b", "2");
      await b.send("agent-a", "2");
    }
    assertEquals([await a.inbox(), await b.inbox()], [["1", "2", "2"], ["1", "2", "2"]]);
  });
});

Deno.test("trust removed while the other side is away holds when it comes back", async () => {
  await inNetwork(FRIENDS, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    await a.send("agent-b", "before");
    await b.agent.kill();
    await a.data(["trust", "remove", "agent-b"]);
    await b.start();
    // Nobody could tell agent-b, and agent-a is silent towards those it no longer trusts.
    const refusal = await b.refused(["connect", "agent-a", "--message", "still friends?", "--timeout", "3s"]);
    assert(["not_trusted", "timeout"].includes(refusal.code), refusal.code);
    assertMatch(refusal.hint, /trust/);
    assertEquals((await a.refused(["connect", "agent-b", "--message", "x"])).code, "not_trusted");
    assertEquals([await a.inbox(), await b.inbox()], [[], ["before"]]);
    await befriend(a, b);
    await a.send("agent-b", "friends again");
    await b.send("agent-a", "friends again");
    assertEquals(await a.inbox(), ["friends again"]);
  });
});

Deno.test("a request is seen with its reason, and approved", async () => {
  await inNetwork(STRANGERS, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const [nodeA, nodeB] = [await a.node(), await b.node()];
    const sent = await a.pilot(["trust", "add", "agent-b", "we build the same thing"]);
    assertEquals(sent.code, 0, sent.stderr);
    assertStringIncludes(sent.stdout, "Trust request sent to agent-b");
    assertStringIncludes(sent.stdout, "pilot trust add agent-a");
    await until("the request arrives", async () => (await b.pending()).length === 1);
    const [request] = listAt(await b.data(["trust", "pending"]), "pending");
    assertEquals([at(request, "node_id"), at(request, "hostname"), at(request, "justification")], [
      nodeA,
      "agent-a",
      "we build the same thing",
    ]);
    assertStringIncludes((await b.pilot(["status"])).stdout, "(1 waiting: pilot trust pending)");
    assertEquals([await a.trusted(), await b.trusted()], [[], []]);

    const approved = await b.data(["trust", "approve", "agent-a"]);
    assertEquals([at(approved, "status"), at(approved, "node_id")], ["approved", nodeA]);
    await until("agent-a learns of it", async () => (await a.trusted()).length === 1);
    assertEquals([await a.trusted(), await b.trusted(), await b.pending()], [[nodeB], [nodeA], []]);
    await a.send("agent-b", "thank you");
    await b.send("agent-a", "welcome");
    assertEquals(at(await a.data(["trust", "add", "agent-b"]), "status"), "already_trusted");
    assertEquals((await b.refused(["trust", "approve", "agent-a"])).code, "not_found");
  });
});

Deno.test("a rejected request brings no trust, and a new one can be approved", async () => {
  await inNetwork(STRANGERS, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    await a.data(["trust", "add", "agent-b"]);
    await until("the request arrives", async () => (await b.pending()).length === 1);
    assertEquals(at(await b.data(["trust", "reject", "agent-a", "not today"]), "status"), "rejected");
    assertEquals(await b.pending(), []);
    assertEquals((await b.refused(["trust", "reject", "agent-a"])).code, "not_found");
    await assertNoTrust(a, b);
    assertEquals([await a.trusted(), await b.trusted()], [[], []]);

    await a.data(["trust", "add", "agent-b"]);
    await until("the second request arrives", async () => (await b.pending()).length === 1);
    await b.data(["trust", "approve", "agent-a"]);
    await until("agent-a learns of it", async () => (await a.trusted()).length === 1);
    await a.send("agent-b", "today then");
    assertEquals(await b.inbox(), ["today then"]);
  });
});

Deno.test("a request to an agent that is away waits for it, and outlives a restart of the asking one", async () => {
  await inNetwork(STRANGERS, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const address = String(at(await b.data(["info"]), "address"));
    await b.agent.kill();
    assertEquals(at(await a.data(["trust", "add", address]), "status"), "sent");
    await a.agent.kill();
    await Promise.all([a.start(), b.start()]);
    await until("the request arrives", async () => (await b.pending()).length === 1);
    await b.data(["trust", "approve", "agent-a"]);
    await until("agent-a learns of it", async () => (await a.trusted()).length === 1);
    await a.send("agent-b", "hello");
    await b.send("agent-a", "hello");
  });
});

/**
 * Runs `action` while two programs, at `from` and at `there.at`, talk on a stream. Resolves with how it ended for
 * either: "ended" when reading came to an end or failed, "late" when it did neither.
 */
async function withOpenStream(
  from: Computer,
  there: { readonly to: number; readonly at: Computer },
  action: () => Promise<void>,
): Promise<string[]> {
  await using caller = await AgentClient.connect({ socket: from.socket });
  await using callee = await AgentClient.connect({ socket: there.at.socket });
  const port = 8200;
  const listener = await callee.listen(port);
  try {
    const address = { network: 0, node: there.to };
    const accepted = listener[Symbol.asyncIterator]().next();
    const outgoing = await soon("the dial", caller.dial(address, port));
    const incoming = (await soon("the accept", accepted)).value;
    assert(incoming !== undefined);
    for (const [writer, reader] of [[outgoing, incoming], [incoming, outgoing]] as const) {
      await writer.write(Uint8Array.of(1, 2, 3));
      assertEquals(await soon("the bytes", reader.read()), Uint8Array.of(1, 2, 3));
    }
    await action();
    return await Promise.all([outgoing, incoming].map(async (stream) => {
      const end = await soon("the end of the stream", stream.read().catch(() => null)).catch(() => "late");
      await stream.close().catch(() => {});
      return end === null ? "ended" : "late";
    }));
  } finally {
    await listener.close();
  }
}
