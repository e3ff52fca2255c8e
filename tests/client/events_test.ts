/** Events as a program of the SDK sees them. */

import { AgentClient } from "../../lib/client/agent.ts";
import { type ClientEvent, readEvent } from "../../lib/client/events.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { until, withServer } from "../agent/raw_client.ts";
import { withForeignAgent } from "./foreign_agent.ts";

const PUNCH = { type: "punch", time: 1, node_id: 7, hostname: "b" } as const;

Deno.test("events arrive from the moment the subscription is ready; leaving the loop ends it", async () => {
  await withServer(async ({ agent, path }) => {
    await using client = await AgentClient.connect({ socket: path });
    const events = client.events();
    await events.ready;
    agent.tell(PUNCH);
    agent.tell({ type: "beacon", time: 2, address: "b:1", reachable: true });
    const seen: ClientEvent[] = [];
    for await (const event of events) {
      seen.push(event);
      if (seen.length === 2) break;
    }
    assertEquals(seen, [PUNCH, { type: "beacon", time: 2, address: "b:1", reachable: true }]);
    await until(() => agent.listening.size === 0, "unsubscribed");
  });
});

Deno.test("two subscriptions of one client do not disturb each other, nor its calls", async () => {
  await withServer(async ({ agent, path }) => {
    await using client = await AgentClient.connect({ socket: path });
    const [a, b] = [client.events(), client.events()];
    await Promise.all([a.ready, b.ready]);
    agent.tell(PUNCH);
    assertEquals((await client.info()).node_id, 1);
    assertEquals((await client.paths()).peers, []);
    for (const events of [a, b]) {
      for await (const event of events) {
        assertEquals(event, PUNCH);
        break;
      }
    }
  });
});

Deno.test("a program that does not read loses the oldest, and is told how many", async () => {
  await withServer(async ({ agent, path }) => {
    await using client = await AgentClient.connect({ socket: path });
    const events = client.events();
    await events.ready;
    for (let node = 1; node <= 3_000; node++) {
      agent.tell({ ...PUNCH, node_id: node });
      // The agent has a bound of its own: it gets the time to hand everything on.
      if (node % 100 === 0) await client.info();
    }
    agent.tell({ type: "transport", time: 3, transport: "udp" });
    let [lost, seen] = [0, 0];
    for await (const event of events) {
      if (event.type === "lost") lost += event.count;
      if (event.type === "punch") seen++;
      if (event.type === "transport") break;
    }
    assertEquals(lost + seen, 3_000);
    assert(lost > 0, "nothing was lost: the test shows nothing");
  });
});

Deno.test("an abort and a close end the loop, an agent that goes away fails it", async () => {
  await withServer(async ({ path }) => {
    await using client = await AgentClient.connect({ socket: path });
    const abort = new AbortController();
    const [aborted, closed] = [client.events({ signal: abort.signal }), client.events()];
    await Promise.all([aborted.ready, closed.ready]);
    abort.abort();
    closed.close();
    for (const events of [aborted, closed]) for await (const event of events) assert(false, event.type);
  });
  let events: ReturnType<AgentClient["events"]> | undefined;
  await withServer(async ({ path }) => {
    const client = await AgentClient.connect({ socket: path });
    events = client.events();
    await events.ready;
    client.close();
  });
  const error = await assertRejects(async () => {
    for await (const event of events ?? []) assert(false, event.type);
  }, PilotError);
  assertEquals(error.code, "not_running");
});

Deno.test("an agent that does not know events says so in the loop, and in ready", async () => {
  await withForeignAgent(async (_message, socket) => {
    await socket.error("unknown command: 0x41");
  }, async (path) => {
    const client = await AgentClient.connect({ socket: path });
    const events = client.events();
    assertEquals((await assertRejects(() => events.ready, PilotError)).code, "unavailable");
    const error = await assertRejects(async () => {
      for await (const event of events) assert(false, event.type);
    }, PilotError);
    assertEquals(error.code, "unavailable");
    assertEquals((await assertRejects(() => client.paths(), PilotError)).code, "unavailable");
    client.close();
  });
});

Deno.test("events of any agent are read without trusting them", () => {
  const table: [string, ClientEvent][] = [
    ["nonsense", { type: "other", time: 0, name: "", json: "nonsense" }],
    ['{"type":"moon","time":5}', { type: "other", time: 5, name: "moon", json: '{"type":"moon","time":5}' }],
    ['{"type":"lost"}', { type: "lost", time: 0, count: 0 }],
    ['{"type":"peer","state":7,"node_id":"x"}', {
      type: "peer",
      time: 0,
      node_id: 0,
      hostname: "",
      state: "connected",
    }],
    ['{"type":"path","path":"sideways"}', {
      type: "path",
      time: 0,
      node_id: 0,
      hostname: "",
      path: "none",
      method: "none",
      endpoint: "",
      rtt_ms: null,
      reason: "",
    }],
    ['{"type":"trust","event":"trust.revoked","via":"local"}', {
      type: "trust",
      time: 0,
      node_id: 0,
      hostname: "",
      event: "trust.revoked",
      via: "local",
      detail: "",
    }],
    ['{"type":"nat","nat_type":"none"}', { type: "nat", time: 0, nat_type: "none", endpoint: "" }],
  ];
  for (const [json, event] of table) assertEquals(readEvent(json), event, json);
});
