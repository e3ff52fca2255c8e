/** Registry and beacon that are not there yet, or go away: agents say so, carry on, and come back by themselves. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { befriend, type Computer, freePort, inNetwork } from "./network.ts";
import { at, DEADLINE_MS, until } from "./process.ts";

async function registered(computer: Computer): Promise<boolean> {
  return at(await computer.data(["status"]), "registry", "connected") === true;
}

Deno.test("an agent started before the registry says what is wrong, and registers once there is one", async () => {
  await inNetwork({ infrastructure: false }, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const address = `127.0.0.1:${network.registry}`;
    await network.startBeacon();

    const started = await a.pilot(a.startLine());
    assertEquals(started.code, 0, started.stderr);
    assertMatch(started.stdout, /\n✗ Not registered at (\S+): .*refused.*\(the agent keeps trying\)\n/);
    assertStringIncludes(started.stdout, address);

    const { stdout } = await a.pilot(["status"]);
    assertMatch(stdout, /\n +Registry: +\S+ \(unreachable: .*refused.*\)\n/);
    assertStringIncludes(stdout, address);
    const before = await a.data(["status"]);
    assertEquals([at(before, "running"), at(before, "node_id"), at(before, "registry", "connected")], [
      true,
      0,
      false,
    ]);
    assertMatch(String(at(before, "registry", "error")), /refused/);
    const { code, hint } = await a.refused(["connect", "0:0000.0000.03E9", "--message", "too early"]);
    assertEquals(code, "connection_failed");
    assertStringIncludes(hint, "pilot status");
    const byName = await a.refused(["connect", "agent-b", "--message", "too early"]);
    assertEquals(byName.code, "connection_failed");
    assertStringIncludes(byName.message, address);

    await network.startRegistry();
    await until("agent-a registers by itself", () => registered(a));
    const after = await a.data(["status"]);
    assertEquals([at(after, "hostname"), at(after, "registry", "error")], ["agent-a", undefined]);
    await b.start();
    await befriend(a, b);
    await a.send("agent-b", "now it works");
    await b.send("agent-a", "so it does");
    assertEquals([await a.inbox(), await b.inbox()], [["so it does"], ["now it works"]]);
  });
});

Deno.test("an agent started before the beacon says so, and finds it once it is there", async () => {
  await inNetwork({ infrastructure: false }, async (network) => {
    const a = network.computer("agent-a");
    await network.startRegistry();
    await a.start();
    const before = await a.data(["status"]);
    assertEquals([at(before, "registry", "connected"), at(before, "beacon", "reachable")], [true, false]);
    assertMatch((await a.pilot(["status"])).stdout, /\n +Beacon: +\S+ \(unreachable\)\n/);
    await network.startBeacon();
    await until("agent-a finds the beacon by itself", async () => {
      return at(await a.data(["status"]), "beacon", "reachable") === true;
    });
    const after = await a.data(["status"]);
    assertMatch(String(at(after, "endpoint")), /^127\.0\.0\.1:\d+$/);
    assertMatch((await a.pilot(["status"])).stdout, /\n +Beacon: +\S+ \(reachable.*\)\n/);
  });
});

Deno.test("without any beacon, agents on one network still reach each other", async () => {
  await inNetwork({ infrastructure: false }, async (network) => {
    await network.startRegistry();
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    await Promise.all([a.start(), b.start()]);
    await befriend(a, b);
    await a.send("agent-b", "direct");
    assertEquals(await b.inbox(), ["direct"]);
  });
});

Deno.test("tunnels outlive a killed registry, and one restarted on its store knows everything", async () => {
  await inNetwork({ infrastructure: false }, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    await network.startBeacon();
    const registry = await network.startRegistry();
    await Promise.all([a.start(), b.start()]);
    await befriend(a, b);
    await a.send("agent-b", "with a registry");
    const numbers = [await a.node(), await b.node()];
    const address = String(at(await b.data(["info"]), "address"));

    await registry.kill();
    for (const computer of [a, b]) {
      await until(`${computer.name} notices`, async () => !await registered(computer));
      assertMatch(
        (await computer.pilot(["status"])).stdout,
        /\n +Registry: +\S+ \(unreachable: .*refused.*\)\n/,
      );
    }
    const stranger = await a.refused(["connect", "agent-c", "--message", "x"]);
    assertEquals(stranger.code, "connection_failed");
    assertStringIncludes(stranger.message, `127.0.0.1:${network.registry}`);
    // The address works by itself; the name has to be known to whoever uses it without a registry.
    await a.send(address, "by address");
    await a.send("agent-b", "by name");
    const ping = await a.data(["ping", address, "--count", "1", "--strict"]);
    assertEquals([at(ping, "sent"), at(ping, "received")], [1, 1]);
    await b.send(String(numbers[0]), "back, by number");
    assertEquals(at(await b.data(["ping", "agent-a", "--count", "1", "--strict"]), "received"), 1);

    await network.startRegistry();
    for (const [computer, peer] of [[a, "agent-b"], [b, "agent-a"]] as const) {
      assertEquals(at(await computer.data(["find", peer]), "hostname"), peer);
      await until(`${computer.name} is back at the registry`, () => registered(computer));
    }
    assertEquals([await a.node(), await b.node()], numbers);
    assertEquals([await a.trusted(), await b.trusted()], [[numbers[1]], [numbers[0]]]);
    await a.send("agent-b", "with a registry again");
    await b.send("agent-a", "indeed");
    assertEquals(await b.inbox(), ["with a registry", "by address", "by name", "with a registry again"]);
    assertEquals(await a.inbox(), ["back, by number", "indeed"]);

    // Also for those who come back while everybody else is running.
    await a.agent.end();
    assertEquals(at(await a.start(), "node_id"), numbers[0]);
    await b.send("agent-a", "welcome back");
    assert((await a.inbox()).includes("welcome back"));
  });
});

Deno.test("a killed beacon disturbs nobody who is connected already", async () => {
  await inNetwork({ infrastructure: false }, async (network) => {
    await network.startRegistry();
    const beacon = await network.startBeacon();
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    await Promise.all([a.start(), b.start()]);
    await befriend(a, b);
    await a.send("agent-b", "with a beacon");
    await beacon.kill();
    await a.send("agent-b", "without");
    await b.send("agent-a", "without");
    assertEquals(await b.inbox(), ["with a beacon", "without"]);
  });
});

Deno.test("an agent with two beacons is known to both, and goes on with one when the other is killed", async () => {
  await inNetwork({ infrastructure: false }, async (network) => {
    await network.startRegistry();
    const ports = [freePort(), freePort()];
    const beacons = await Promise.all(ports.map((port) => network.startBeacon(port)));
    const a = network.computer("agent-a");
    await a.start("--beacon", `127.0.0.1:${ports[0]}`, "--beacon", `127.0.0.1:${ports[1]}`);
    const seen = async () => {
      const { beacons } = await a.data(["status"]) as { beacons: { reachable: boolean; in_use: boolean }[] };
      return beacons;
    };
    await until("both answer", async () => (await seen()).filter(({ reachable }) => reachable).length === 2);
    const used = (await seen()).findIndex(({ in_use }) => in_use);
    await beacons[used]?.kill();
    await until("the other one is in use", async () => {
      const now = await seen();
      return now[used]?.reachable === false && now[1 - used]?.in_use === true;
      // Nothing is sent meanwhile, so that it is noticed at the next keep-alive only, after less than half a minute.
    }, 4 * DEADLINE_MS);
    assertEquals(at(await a.data(["status"]), "beacon", "address"), `127.0.0.1:${ports[1 - used]}`);
  });
});
