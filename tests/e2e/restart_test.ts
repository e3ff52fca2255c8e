/** Agents that end, in order or not, and come back. */

import { assertEquals, assertStringIncludes } from "../assert.ts";
import { inNetwork } from "./network.ts";
import { at, exists, processesNaming, until } from "./process.ts";

const SETTING = { agents: ["agent-a", "agent-b"], friends: [["agent-a", "agent-b"]] } as const;

Deno.test("a killed agent comes back with its address and trust, and the other side need not care", async () => {
  await inNetwork(SETTING, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const [nodeA, nodeB] = [await a.node(), await b.node()];
    const key = at(await a.data(["info"]), "public_key");
    await a.send("agent-b", "1");
    await b.send("agent-a", "1");
    // Killed in the middle of things, and back on another port; then the first to speak is the other one.
    for (const round of [2, 3]) {
      await a.agent.kill();
      assertEquals(at(await a.data(["status"]), "running"), false);
      const back = await a.start();
      assertEquals([at(back, "node_id"), at(back, "hostname"), at(back, "identity")], [
        nodeA,
        "agent-a",
        "loaded",
      ]);
      assertEquals(at(await a.data(["info"]), "public_key"), key);
      assertEquals([await a.trusted(), await b.trusted()], [[nodeB], [nodeA]]);
      const [first, second] = round === 2 ? [a, b] : [b, a];
      await first.send(second.name, String(round));
      await second.send(first.name, String(round));
    }
    assertEquals([await a.inbox(), await b.inbox()], [["1", "2", "3"], ["1", "2", "3"]]);
    assertEquals([await a.pending(), await b.pending()], [[], []]);
  });
});

Deno.test("both agents killed at once find each other again", async () => {
  await inNetwork(SETTING, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    await a.send("agent-b", "before");
    await Promise.all([a.agent.kill(), b.agent.kill()]);
    await Promise.all([a.start(), b.start()]);
    await Promise.all([a.send("agent-b", "after"), b.send("agent-a", "after")]);
    assertEquals([await a.inbox(), await b.inbox()], [["after"], ["before", "after"]]);
  });
});

Deno.test("agent stop leaves no process, no socket and no pid file", async () => {
  await inNetwork({}, async (network) => {
    const a = network.computer("agent-a");
    const pid = Number(at(await a.data(a.startLine()), "pid"));
    assertEquals(processesNaming(a.home), [pid]);
    const stopped = await a.pilot(["agent", "stop"]);
    assertEquals([stopped.code, stopped.stdout], [0, `agent stopped (pid ${pid})\n`]);
    assertEquals(processesNaming(a.home), []);
    const left = [...Deno.readDirSync(a.home)].map(({ name }) => name).sort();
    assertEquals(left, ["identity.key", "pilot.log", "udp-port"]);

    const again = await a.refused(["agent", "stop"]);
    assertEquals(again.code, "not_running");
    assertStringIncludes(again.hint, "pilot agent start");
    const status = await a.pilot(["status"]);
    assertEquals([status.code, status.stdout], [0, "Agent: stopped\n  start it with: pilot agent start\n"]);
    assertEquals((await a.pilot(["agent", "status", "--check"])).code, 1);
    assertEquals(at(await a.data(a.startLine()), "registered"), true);
    await a.data(["agent", "stop"]);
  });
});

Deno.test("SIGTERM, SIGINT and agent stop end an agent in the foreground in order", async () => {
  await inNetwork(SETTING, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    for (const way of ["SIGTERM", "SIGINT", "stop"] as const) {
      await a.send("agent-b", way);
      if (way === "stop") await a.data(["agent", "stop"]);
      else a.agent.signal(way);
      const { code, stderr } = await a.agent.finished();
      assertEquals(code, 0, `${way}: ${stderr}`);
      assertEquals(processesNaming(a.home), []);
      for (const file of ["pilot.pid", "pilot.sock"]) {
        assertEquals(await exists(`${a.home}/${file}`), false, `${way}: ${file}`);
      }
      // It said goodbye to the registry, too.
      assertEquals((await b.refused(["find", "agent-a"])).code, "not_found", way);
      await a.start();
    }
    await b.send("agent-a", "all well");
    assertEquals(await b.inbox(), ["SIGTERM", "SIGINT", "stop"]);
    assertEquals(await a.inbox(), ["all well"]);
  });
});

Deno.test("an agent that hangs is reported, and killed by agent stop", async () => {
  await inNetwork({ agents: ["agent-a"] }, async (network) => {
    const a = network.computer("agent-a");
    a.agent.signal("SIGSTOP");
    const status = await a.data(["status"]);
    assertEquals([at(status, "running"), at(status, "responsive"), at(status, "pid")], [
      true,
      false,
      a.agent.pid,
    ]);
    const stopping = a.spawn(["agent", "stop", "--json"]);
    const { code, stderr, json } = await stopping.finished();
    assertEquals([code, at(json, "data", "forced")], [0, true], stderr);
    await until("the process is gone", () => processesNaming(a.home).length === 0);
    for (const file of ["pilot.pid", "pilot.sock"]) {
      assertEquals(await exists(`${a.home}/${file}`), false, file);
    }
    assertEquals(at(await a.start(), "registered"), true);
  });
});
