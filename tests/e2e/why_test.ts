/** Why it is as it is: reports, measurements, checks and events, with real processes. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { befriend, inNetwork } from "./network.ts";
import { at, listAt, until } from "./process.ts";

/** The JSON lines of an output so far. */
function lines(text: string): unknown[] {
  return text.split("\n").slice(0, -1).map((line): unknown => JSON.parse(line));
}

Deno.test("events tell of a connection as it comes about, and connect of each step", async () => {
  await inNetwork({ agents: ["agent-a", "agent-b"] }, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const node = await b.node();
    // It listens before the two know each other: afterwards they connect by themselves, whoever looks or not.
    const listener = a.spawn(["events"]);
    await until("the listener listens", () => {
      if (listener.stderr.includes("error")) throw new Error(listener.log);
      return listener.stderr.includes("listening for events");
    });
    await befriend(a, b);
    await a.data(["connect", "agent-b", "--wait", "20s"]);
    await until("a connection and a direct path were told", () => {
      return / peer +agent-b: /.test(listener.stdout) && / path +agent-b: direct to /.test(listener.stdout);
    });
    assertEquals((await listener.end("SIGINT")).code, 130);

    const events = a.spawn(["events", "--json"]);
    await until("the listener for programs has heard of the peer", async () => {
      if (events.stderr.includes("error")) throw new Error(events.log);
      // It says nothing before the first event. With a fresh process at the other end there is one.
      await b.agent.end();
      await b.start();
      await a.data(["connect", "agent-b", "--wait", "20s"]);
      return lines(events.stdout).some((event) =>
        at(event, "type") === "peer" && at(event, "node_id") === node
      );
    });
    for (const event of lines(events.stdout)) {
      const time = Number(at(event, "time"));
      assert(Math.abs(Date.now() - time) < 600_000, `not a time: ${time}`);
    }
    assertEquals((await events.end("SIGINT")).code, 130);

    const steps = await a.pilot(["connect", "agent-b"]);
    assertEquals([steps.code, steps.stdout], [0, "tunnel to agent-b is up\n"]);
    assertMatch(steps.stderr, /^✓ NAT type: none\n/);
    assertMatch(
      steps.stderr,
      /✓ Connected to agent-b \(direct, RTT [\d.]+ ms\)\n✓ Encrypted: X25519 \+ AES-256-GCM\n$/,
    );
  });
});

Deno.test("peers explains the path in use, trace takes a round trip apart, and a dead peer is called dead", async () => {
  await inNetwork({ agents: ["agent-a", "agent-b"], friends: [["agent-a", "agent-b"]] }, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    await a.send("agent-b", "hello");
    await until("the path is direct", async () => {
      return at(await a.data(["peers", "agent-b"]), "peers", 0, "path") === "direct";
    });
    const explained = await a.data(["peers", "agent-b", "--explain"]);
    const peer = at(explained, "peers", 0);
    assertEquals(
      ["hostname", "method", "reason", "own_kind"].map((name) => at(peer, name)),
      ["agent-b", "direct", "direct_only", true],
    );
    assertEquals(at(peer, "live"), { paths: 2, answering: 2 });
    const inUse = listAt(peer, "paths").filter((path) => at(path, "state") === "in_use");
    assertEquals(inUse.length, 1);
    assert(Number(at(inUse[0], "probes_answered")) > 0 && Number(at(peer, "bytes_sent")) > 0);
    const words = await a.pilot(["peers", "agent-b", "--explain"]);
    assertMatch(words.stdout, /agent-b \(node \d+\): direct\n/);
    assertStringIncludes(words.stdout, "Nothing stands in the way.");

    const trace = await a.data(["trace", "agent-b"]);
    const [total, network_ms] = [Number(at(trace, "total_ms")), Number(at(trace, "network_ms"))];
    assert(total > 0 && network_ms > 0, JSON.stringify(trace));
    assertEquals(listAt(trace, "rtt_samples").length, 5);
    assert(Math.abs(Number(at(trace, "clock_offset_ms"))) < 10_000, "one computer, two clocks?");
    assertEquals(listAt(trace, "paths").filter((path) => at(path, "in_use") === true).length, 1);

    await b.agent.kill();
    await until("the peer is called silent", async () => {
      const { stdout } = await a.pilot(["peers", "agent-b", "--explain"]);
      return /agent-b \(node \d+\): does not answer\n/.test(stdout) &&
        /no answer on any of \d path/.test(stdout);
    });
  });
});

Deno.test("doctor finds nothing wrong with a network that works, and says what is when something is", async () => {
  await inNetwork({ agents: ["agent-a"] }, async (network) => {
    const a = network.computer("agent-a");
    const status = (report: unknown, name: string) =>
      listAt(report, "checks").filter((check) => at(check, "name") === name).map((check) =>
        at(check, "status")
      );
    await until("the examination of the NAT is over", async () => {
      return at(await a.data(["doctor"]), "nat_type") === "none";
    });
    const well = await a.data(["doctor"]);
    assertEquals([at(well, "healthy"), at(well, "strategy")], [true, "direct"]);
    for (
      const name of ["agent", "socket", "identity", "registry", "beacon", "udp", "nat", "clock", "udp_mode"]
    ) {
      assertEquals(status(well, name), ["ok"], name);
    }
    const standing = await a.pilot(["status"]);
    assertMatch(
      standing.stdout,
      / {2}NAT type: +none\n {2}Endpoint: +127.0.0.1:\d+\n {2}Strategy: +direct \(reachable by all\)\n/,
    );

    // Without an agent it looks by itself.
    const alone = network.computer("nobody");
    const report = await alone.data(["doctor"]);
    assertEquals([at(report, "healthy"), at(report, "nat_type")], [true, "none"]);
    assertEquals([status(report, "agent"), status(report, "beacon"), status(report, "registry")], [["warn"], [
      "ok",
    ], [
      "ok",
    ]]);
  });
});

Deno.test("doctor without registry and beacon fails, and exits 1", async () => {
  await inNetwork({ infrastructure: false }, async (network) => {
    const { code, stdout } = await network.computer("nobody").pilot(["doctor"]);
    assertEquals(code, 1);
    assertMatch(stdout, /✗ {2}registry/);
    assertMatch(stdout, /✗ {2}beacon/);
    assertMatch(stdout, /hint: {2}registry: .+/);
    assertMatch(stdout, /2 checks failed\n$/);
  });
});
