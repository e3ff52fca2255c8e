/** Peers that do not exist, do not trust, or do not answer: what the person who tries is told. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { befriend, inNetwork } from "./network.ts";
import { at, until } from "./process.ts";

Deno.test("an unknown name is not found, whatever one wants of it", async () => {
  await inNetwork({ agents: ["agent-a"] }, async (network) => {
    const a = network.computer("agent-a");
    for (
      const command of [
        ["connect", "nobody", "--message", "hello"],
        ["connect", "nobody"],
        ["ping", "nobody", "--count", "1"],
        ["find", "nobody"],
        ["trust", "add", "nobody"],
        ["trust", "approve", "nobody"],
        ["trust", "reject", "nobody"],
        ["trust", "remove", "nobody"],
      ]
    ) {
      const { code, message, hint } = await a.refused(command);
      assertEquals(code, "not_found", command.join(" "));
      assertStringIncludes(message, "nobody");
      assert(hint !== "", `no hint for ${command.join(" ")}`);
    }
    // A person sees the same, without JSON.
    const { code, stdout, stderr } = await a.pilot(["connect", "nobody", "--message", "hello"]);
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /^error: nobody not found.*\nhint: {2}.+\ncode: {2}not_found\n$/);
  });
});

Deno.test("a peer without trust cannot be connected to, and the hint says how to get it", async () => {
  await inNetwork({ agents: ["agent-a", "agent-b"] }, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const address = String(at(await b.data(["info"]), "address"));
    for (const target of ["agent-b", address]) {
      const { code, message, hint } = await a.refused(["connect", target, "--message", "let me in"]);
      assertEquals(code, "not_trusted");
      assertStringIncludes(message, target);
      assertStringIncludes(hint, `trust add ${target}`);
    }
    const ping = await a.pilot(["ping", "agent-b", "--count", "1", "--strict"]);
    assertEquals(ping.code, 1);
    assertStringIncludes(ping.stdout, "no trust between this agent and agent-b");
    assertEquals([await a.inbox(), await b.inbox()], [[], []]);
  });
});

Deno.test("a request that waits gives no access yet", async () => {
  await inNetwork({ agents: ["agent-a", "agent-b"] }, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    assertEquals(at(await a.data(["trust", "add", "agent-b"]), "status"), "sent");
    await until("the request arrives", async () => (await b.pending()).length === 1);
    const { code, hint } = await a.refused(["connect", "agent-b", "--message", "let me in"]);
    assertEquals(code, "not_trusted");
    assertStringIncludes(hint, "trust");
    assertEquals([await a.inbox(), await b.inbox()], [[], []]);

    assertEquals(at(await b.data(["trust", "add", "agent-a"]), "status"), "approved");
    await a.send("agent-b", "thank you");
    await b.send("agent-a", "welcome");
    assertEquals([await a.inbox(), await b.inbox()], [["welcome"], ["thank you"]]);
  });
});

Deno.test("a connection that was refused opens no door for the peer that has not been accepted", async () => {
  await inNetwork({ agents: ["agent-a", "agent-b"] }, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    await a.data(["trust", "add", "agent-b"]);
    await until("the request arrives", async () => (await b.pending()).length === 1);
    const { code, hint } = await b.refused(["connect", "agent-a", "--message", "who are you?"]);
    assertEquals(code, "not_trusted");
    assertStringIncludes(hint, "trust add agent-a");
    // Nothing reached agent-a, so there is nothing that it could have to answer.
    const answer = await a.pilot(["connect", "agent-b", "--message", "let me in", "--timeout", "3s"]);
    assertEquals([await b.inbox(), answer.code], [[], 1], answer.stdout);
  });
});

Deno.test("a peer that was stopped or killed gives a clear error in time, and is reached again after", async () => {
  const setting = { agents: ["agent-a", "agent-b"], friends: [["agent-a", "agent-b"]] } as const;
  await inNetwork(setting, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const address = String(at(await b.data(["info"]), "address"));
    // A stopped agent has left the registry, so its name is known to nobody; that a killed one is gone, nobody knows.
    const cases = [
      ["SIGTERM", "agent-b", ["not_found"]],
      ["SIGTERM", address, ["timeout", "not_found"]],
      ["SIGKILL", "agent-b", ["timeout"]],
    ] as const;
    for (const [way, target, codes] of cases) {
      await a.send("agent-b", `before ${way}`);
      await b.agent.end(way);
      const lost = ["connect", target, "--message", "lost", "--timeout", "1s"];
      const { code, message, hint } = await a.refused(lost);
      assert(codes.some((expected) => expected === code), `${way}: ${code} ${message}`);
      if (code === "timeout") assertEquals(message, `${target} did not answer within 1 s`);
      assertStringIncludes(message, target);
      assert(hint !== "", `${way}: no hint for: ${message}`);
      const ping = await a.pilot(["ping", target, "--count", "1", "--timeout", "1s", "--strict"]);
      assertEquals(ping.code, 1, ping.stdout);
      await b.start();
      await a.send("agent-b", `after ${way}`);
    }
    const expected = cases.flatMap(([way]) => [`before ${way}`, `after ${way}`]);
    assertEquals(await b.inbox(), expected);
  });
});

Deno.test("who asks for a name that is taken is told, does not show it as its own, and works by address", async () => {
  await inNetwork({ agents: ["agent-a", "agent-b"] }, async (network) => {
    const [a, b, c] = ["agent-a", "agent-b", "agent-c"].map((name) => network.computer(name));
    assert(a !== undefined && b !== undefined && c !== undefined);
    const told = await c.pilot(c.startLine("--hostname", "agent-b"));
    assertEquals(told.code, 0, told.stderr);
    assertMatch(told.stdout, /\n✓ Registered as 0:0000\.0000\.[0-9A-F]{4}\n/);
    assertMatch(told.stdout, /\n✗ Hostname agent-b not granted: .*taken.*\n/);

    const status = await c.data(["status"]);
    assertEquals([at(status, "hostname"), at(status, "registry", "connected")], ["", true]);
    const shown = await c.pilot(["status"]);
    assertMatch(shown.stdout, /\n +Hostname: +none/);
    assertMatch(shown.stdout, /agent-b.*taken/, "status does not tell why there is no name");
    // The name still leads to its owner.
    assertEquals(at(await a.data(["find", "agent-b"]), "node_id"), await b.node());

    const [address, own] = [String(at(status, "address")), String(at(await a.data(["info"]), "address"))];
    await a.data(["trust", "add", address]);
    await c.data(["trust", "add", own, "--wait", "30s"]);
    await a.send(address, "by address");
    await c.send(own, "also by address");
    assertEquals([await a.inbox(), await c.inbox()], [["also by address"], ["by address"]]);

    // A name of its own goes on from there, and the taken one is refused in words.
    const { code, message } = await c.refused(["set-hostname", "agent-b"]);
    assertEquals(code, "already_exists");
    assertMatch(message, /agent-b.*taken|taken.*agent-b/);
    await c.data(["set-hostname", "agent-c"]);
    await befriend(b, c);
    await b.send("agent-c", "by name");
    assertEquals(await c.inbox(), ["by address", "by name"]);
  });
});
