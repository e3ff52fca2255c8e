/** Events on the local socket: asked for, in order, bounded. */

import { MAX_WAITING_EVENTS } from "../../services/agent/local/events.ts";
import type { AgentEvent } from "../../services/agent/api.ts";
import { assert, assertEquals } from "../assert.ts";
import { until, withServer } from "./raw_client.ts";

const EVENT = 0x42;

function punch(node: number): AgentEvent {
  return { type: "punch", time: node, node_id: node, hostname: "" };
}

Deno.test("a subscription is confirmed, and events follow in their order until the socket closes", async () => {
  await withServer(async ({ agent, connect }) => {
    const client = await connect();
    await client.send("41");
    assertEquals((await client.expectJson(EVENT))["type"], "subscribed");
    for (let node = 1; node <= 3; node++) agent.tell(punch(node));
    for (let node = 1; node <= 3; node++) {
      assertEquals(await client.expectJson(EVENT), {
        type: "punch",
        time: node,
        node_id: node,
        hostname: "",
      });
    }
    client.close();
    await until(() => agent.listening.size === 0, "the subscription ends with the socket");
  });
});

Deno.test("who has not asked gets none, and asking twice subscribes once", async () => {
  await withServer(async ({ agent, connect }) => {
    const [quiet, client] = [await connect(), await connect()];
    await client.send("41");
    await client.send("41");
    await client.expectJson(EVENT);
    await client.expectJson(EVENT);
    assertEquals(agent.listening.size, 1);
    agent.tell(punch(1));
    assertEquals((await client.expectJson(EVENT))["type"], "punch");
    // What is answered first to the other socket is its own question.
    await quiet.send("0d");
    await quiet.expectJson(0x0e);
  });
});

Deno.test("a client that does not read loses the oldest events, is told how many, and is not dropped", async () => {
  await withServer(async ({ agent, connect }) => {
    const client = await connect();
    await client.send("41");
    await client.expectJson(EVENT);
    const total = 40_000;
    for (let node = 1; node <= total; node++) {
      agent.tell(punch(node));
      // Lets the writer fill the socket.
      if (node % 500 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    let expected = 1;
    let lost = 0;
    while (expected <= total) {
      const event = await client.expectJson(EVENT);
      if (event["type"] === "lost") {
        lost += Number(event["count"]);
        expected += Number(event["count"]);
      } else assertEquals(event["node_id"], expected++);
    }
    assert(lost > 0, "the socket took everything: the test shows nothing");
    assert(total - lost > MAX_WAITING_EVENTS, "what was kept arrives");
    agent.tell(punch(7));
    assertEquals((await client.expectJson(EVENT))["node_id"], 7);
  }, { limits: { stallMs: 50, tickMs: 10 } });
});

Deno.test("paths are cut to the size of a message, with a flag", async () => {
  await withServer(async ({ agent, connect }) => {
    agent.peerPaths = Array.from({ length: 6_000 }, (_, node) => ({
      node_id: node,
      hostname: "a-name-of-average-length",
      address: "0:0000.0000.0001",
      path: "relay",
      method: "relay",
      endpoint: "192.0.2.1:9001",
      reason: "relay_unanswered",
      since_ms: 1,
      rtt_ms: null,
      smoothed_rtt_ms: null,
      min_rtt_ms: null,
      loss: null,
      heard_ago_ms: null,
      bytes_sent: 0,
      bytes_recv: 0,
      pkts_sent: 0,
      pkts_recv: 0,
      encrypted: true,
      authenticated: true,
      own_kind: true,
      dialect: "current",
      advice: [],
      paths: [],
    }));
    const client = await connect();
    await client.send("43");
    const all = await client.expectJson(0x44);
    assert(Array.isArray(all["peers"]) && all["peers"].length > 100 && all["peers"].length < 6_000);
    assertEquals(all["truncated"], true);
    await client.send("43 00000005");
    const one = await client.expectJson(0x44);
    assert(Array.isArray(one["peers"]));
    assertEquals([one["peers"].length, one["truncated"]], [1, undefined]);
  });
});

Deno.test("doctor and trace are answered with JSON, and a trace without a tunnel with an error", async () => {
  await withServer(async ({ connect }) => {
    const client = await connect();
    await client.send("45");
    assertEquals((await client.expectJson(0x46))["nat_type"], "none");
    await client.send("47 00000002");
    assertEquals((await client.expectJson(0x48))["node_id"], 2);
    await client.send("47 00000003");
    await client.expectError("trace: no tunnel to node 3");
    await client.send("47 00");
    await client.expectError("trace: missing node_id");
  });
});
