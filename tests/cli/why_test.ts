/** The words of `peers`, `trace`, `doctor` and `events`, from agents that say what the tests want. */

import type { ClientCheck } from "../../lib/client/doctor.ts";
import type { ClientEvent } from "../../lib/client/events.ts";
import type { ClientPath, ClientPeerPaths } from "../../lib/client/paths.ts";
import { doctorText } from "../../services/agent/commands/doctor.ts";
import { eventWords, jsonOf } from "../../services/agent/commands/events.ts";
import { networkRows } from "../../services/agent/commands/network_words.ts";
import {
  adviceWords,
  explainPeer,
  formatAge,
  reasonWords,
} from "../../services/agent/commands/path_words.ts";
import { stages, table } from "../../services/agent/commands/trace.ts";
import { FakeAgent } from "../agent/fake_agent.ts";
import { withServer } from "../agent/raw_client.ts";
import { withForeignAgent } from "../client/foreign_agent.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { pilot } from "./program.ts";

const PATH: ClientPath = {
  kind: "punched",
  endpoint: "198.51.100.7:4000",
  state: "in_use",
  probes_sent: 10,
  probes_answered: 9,
  loss: 0.1,
  sent_ago_ms: 100,
  heard_ago_ms: 90,
  rtt_ms: 38,
  smoothed_rtt_ms: 40,
  min_rtt_ms: 36,
  proven_for_ms: 60_000,
  failures: 0,
  held_ms: null,
  next_probe_ms: 5_000,
  datagram: 1_472,
  bytes_sent: 2_048,
  bytes_recv: 1_024,
  pkts_sent: 4,
  pkts_recv: 3,
};

const RELAY: ClientPath = {
  ...PATH,
  kind: "relay",
  endpoint: "203.0.113.1:9001",
  state: "standby",
  rtt_ms: 92,
  heard_ago_ms: null,
};

const PEER: ClientPeerPaths = {
  node_id: 7,
  hostname: "agent-b",
  address: "0:0000.0000.0007",
  path: "direct",
  method: "hole-punch",
  endpoint: "198.51.100.7:4000",
  reason: "direct_only",
  since_ms: 60_000,
  rtt_ms: 38,
  smoothed_rtt_ms: 40,
  min_rtt_ms: 36,
  loss: 0.1,
  heard_ago_ms: 90,
  bytes_sent: 2_048,
  bytes_recv: 1_024,
  pkts_sent: 4,
  pkts_recv: 3,
  encrypted: true,
  authenticated: true,
  own_kind: true,
  dialect: "current",
  advice: [],
  paths: [PATH, RELAY],
};

const RELAYED: ClientPeerPaths = {
  ...PEER,
  path: "relay",
  method: "relay",
  endpoint: "203.0.113.1:9001",
  reason: "relay_unanswered",
  advice: [{ code: "both_symmetric_nat", ms: null }],
  paths: [{ ...PATH, state: "failed", rtt_ms: null }, { ...RELAY, state: "in_use" }],
};

/** Runs a command against a fake agent: its output. */
async function ask(
  agent: FakeAgent,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  let result = { code: -1, stdout: "", stderr: "" };
  await withServer(async ({ path }) => {
    result = await pilot([...args, "--socket", path], { env: { PILOT_HOME: path.replace(/\/s$/, "") } });
  }, { agent });
  return result;
}

Deno.test("peers: a table, one peer, JSON, and the flags that were there before", async () => {
  const agent = new FakeAgent();
  agent.peerPaths = [PEER, { ...RELAYED, node_id: 8, hostname: "" }];
  const all = await ask(agent, "peers");
  const [head = "", first = "", second = ""] = all.stdout.split("\n");
  assertMatch(head, /^NODE ID +HOSTNAME +PATH +ENDPOINT +RTT +FOR +SENT +RECEIVED +LOSS +ENCRYPTED +AUTH$/);
  assertMatch(
    first,
    /^7 +agent-b +hole-punch +198.51.100.7:4000 +38 ms +60 s +2.0 KB +1.0 KB +10% +yes \(AES-256-GCM\) +yes \(Ed25519\)$/,
  );
  assertMatch(second, /^8 +- +relay +203.0.113.1:9001 /);
  assertEquals((await ask(agent, "peers", "--search", "AGENT")).stdout.split("\n").length, 3);

  const { data } = JSON.parse((await ask(agent, "peers", "--json")).stdout);
  assertEquals([data.total, data.peers[0].method, data.peers[1].advice[0].code], [
    2,
    "hole-punch",
    "both_symmetric_nat",
  ]);
  const none = await ask(agent, "peers", "9");
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, "no tunnel to 9");
  assertEquals((await ask(new FakeAgent(), "peers")).stdout, "no peers\n");
});

Deno.test("peers --explain asks the peer now, and says when it does not answer", async () => {
  const agent = new FakeAgent();
  agent.peerPaths = [RELAYED];
  const path = { kind: "relay", endpoint: "203.0.113.1:9001", in_use: true, sent: 3 };
  agent.traceReport = { node_id: 7, seal_ms: 0.1, paths: [{ ...path, rtts_ms: [92, 93, 94] }] };
  const alive = await ask(agent, "peers", "7", "--explain");
  assertStringIncludes(alive.stderr, "asking 7 on every path");
  for (
    const words of [
      "agent-b (node 7): relayed by the beacon, which cannot read it",
      "no direct path answers",
      "answers on 1 of 1 path",
      "the relay is the right answer",
    ]
  ) assertStringIncludes(alive.stdout, words);

  agent.traceReport = { node_id: 7, seal_ms: 0.1, paths: [{ ...path, rtts_ms: [] }] };
  const dead = await ask(agent, "peers", "7", "--explain");
  assertStringIncludes(dead.stdout, "agent-b (node 7): does not answer");
  assertStringIncludes(dead.stdout, "no answer on any of 1 path");
  const { data } = JSON.parse((await ask(agent, "peers", "7", "--explain", "--json")).stdout);
  assertEquals(data.peers[0].live, { paths: 1, answering: 0 });
});

Deno.test("agents that do not know the new questions: the list goes without, what was asked for says why not", async () => {
  const info = {
    peer_list: [{ node_id: 5, endpoint: "192.0.2.1:4000", encrypted: true, authenticated: true }],
  };
  await withForeignAgent(async (message, socket) => {
    if (message[0] === 0x0d) await socket.json(0x0e, info);
    else await socket.error(`unknown command: 0x${(message[0] ?? 0).toString(16)}`);
  }, async (path) => {
    const env = { PILOT_HOME: path.replace(/\/s$/, "") };
    const list = await pilot(["peers", "--socket", path], { env });
    assertMatch(list.stdout, /\n5 +- +none +192.0.2.1:4000 +- +- +- +- +- +yes/);
    for (
      const command of [["peers", "--explain"], ["doctor"], ["events"]]
    ) {
      const { code, stderr } = await pilot([...command, "--socket", path], { env });
      assertEquals(code, 1, command.join(" "));
      assertStringIncludes(stderr, "the running agent does not know this yet");
      assertStringIncludes(stderr, "hint:");
    }
  });
});

Deno.test("explain: every path in a table, every obstacle in a sentence", () => {
  const lines = explainPeer(PEER).join("\n");
  assertStringIncludes(lines, "agent-b (node 7): direct, through a punched hole");
  assertMatch(lines, /Path: +to 198.51.100.7:4000, for 60 s/);
  assertMatch(lines, /Round trip: +38 ms \(smoothed 40 ms\), 10% of the probes lost/);
  assertMatch(lines, /punched +198.51.100.7:4000 +in use +38 ms +9 of 10 +90 ms ago/);
  assertMatch(lines, /relay +203.0.113.1:9001 +works, not in use +92 ms +9 of 10 +never/);
  assertStringIncludes(lines, "Nothing stands in the way.");
  const relayed = explainPeer(RELAYED).join("\n");
  assertMatch(relayed, /punched .* no answer, next try in 5.0 s/);
  assertStringIncludes(relayed, "What stands in the way of a better path:");
  const held = explainPeer({ ...RELAYED, paths: [{ ...PATH, state: "standby", held_ms: 30_000 }] }).join(
    "\n",
  );
  assertStringIncludes(held, "works again, not believed for 30 s");
  const unknown = explainPeer({
    ...PEER,
    path: "none",
    method: "none",
    endpoint: "",
    paths: [],
    reason: "no_session",
  });
  assertStringIncludes(unknown.join("\n"), "agent-b (node 7): not connected");
  assertStringIncludes(unknown.join("\n"), "No path is known.");
});

Deno.test("codes of later versions stand for themselves, and cannot move the cursor", () => {
  assertEquals(reasonWords("moon_phase"), "moon_phase");
  assertEquals(adviceWords({ code: "sun\u001b[2J", ms: null }), "sun\\u{1b}[2J");
  assertEquals(
    adviceWords({ code: "search_backoff_until", ms: 540_000 }),
    "A search for the port of the other NAT has failed; the next one is in 9 min.",
  );
  assertMatch(adviceWords({ code: "peer_silent", ms: null }), /for a while/);
});

Deno.test("ages read well", () => {
  assertEquals([4, 9_900, 60_000, 300_000, 7_200_000, 90_000_000, 400_000_000].map(formatAge), [
    "4.0 ms",
    "9.9 s",
    "60 s",
    "5 min",
    "2 h",
    "25 h",
    "5 days",
  ]);
});

Deno.test("status and doctor say NAT type, endpoint and strategy in the same words", () => {
  const words = (nat_type: string, strategy: string) =>
    networkRows({ nat_type, strategy, endpoint: "" })[2]?.[1];
  assertEquals(words("full-cone", "direct"), "direct (reachable by all)");
  assertEquals(words("port-restricted-cone", "hole-punch"), "direct (hole-punch)");
  assertEquals(words("unknown", "relay"), "relay");
  assertMatch(words("symmetric", "relay") ?? "", /^relay /);
  assertEquals(words("unknown", "unknown"), "unknown (no beacon answers)");
  assertEquals(words("unknown", "what an old agent says"), "what an old agent says");
});

Deno.test("doctor: a line per check, hints below, and the exit code", async () => {
  const check = (name: string, status: ClientCheck["status"], hint = ""): ClientCheck => ({
    name,
    status,
    value: `value of ${name}`,
    hint,
  });
  const agent = new FakeAgent();
  const report = { nat_type: "full-cone", endpoint: "192.0.2.1:4000", strategy: "direct" };
  agent.doctorReport = { ...report, checks: [check("registry", "ok"), check("clock", "warn", "set it")] };
  const well = await ask(agent, "doctor");
  assertEquals(well.code, 0);
  assertMatch(
    well.stdout,
    /^NAT type: +full-cone\nEndpoint: +192.0.2.1:4000\nStrategy: +direct \(reachable by all\)\n/,
  );
  assertMatch(well.stdout, / {2}✓ {2}registry +value of registry\n {2}! {2}clock +value of clock\n/);
  assertMatch(well.stdout, /hint: {2}clock: set it\n\nnothing failed, 1 thing could be better\n$/);

  agent.doctorReport = { ...report, checks: [check("beacon", "fail", "look"), check("mtu", "unknown")] };
  const ill = await ask(agent, "doctor");
  assertEquals(ill.code, 1);
  assertMatch(ill.stdout, /✗ {2}beacon[^]*- {2}mtu[^]*1 check failed\n$/);
  const json = await ask(agent, "doctor", "--json");
  assertEquals([json.code, JSON.parse(json.stdout).data.healthy], [1, false]);
  assertStringIncludes(doctorText({ ...report, checks: [check("registry", "ok")] }), "all is well");
});

Deno.test("trace: what is left of the whole is the peer's share", () => {
  const result = stages({
    setup: 12,
    local: 1,
    paths: {
      node_id: 7,
      seal_ms: 0.5,
      paths: [
        { kind: "direct", endpoint: "192.0.2.1:4000", in_use: true, sent: 5, rtts_ms: [22, 20, 24] },
        { kind: "relay", endpoint: "203.0.113.1:9001", in_use: false, sent: 5, rtts_ms: [] },
      ],
    },
    samples: [{ rtt: 30, offset: 5_000 }, { rtt: 25, offset: 4_000 }],
  });
  assertEquals([result.total_ms, result.network_ms, result.peer_ms, result.clock_offset_ms], [
    25,
    20,
    3.5,
    4_000,
  ]);
  assertEquals(
    result.paths.map(({ answered, min_rtt_ms, avg_rtt_ms }) => [answered, min_rtt_ms, avg_rtt_ms]),
    [
      [3, 20, 22],
      [0, null, null],
    ],
  );
  const text = table(result);
  assertMatch(text, /network +20.0 ms +direct to 192.0.2.1:4000/);
  assertMatch(
    text,
    /\n\* +direct +192.0.2.1:4000 +20.0 ms +22.0 ms +3 of 5\n +relay +203.0.113.1:9001 +- +- +0 of 5/,
  );
  assertStringIncludes(text, "Its clock is 4.0 s ahead of ours.");
});

Deno.test("events: one line of words, or the JSON as it came", async () => {
  const of = { time: 1_800_000_000_000, node_id: 7, hostname: "agent-b" };
  const events: [ClientEvent, RegExp][] = [
    [
      {
        ...of,
        type: "path",
        path: "direct",
        method: "hole-punch",
        endpoint: "1.2.3.4:5",
        rtt_ms: 38,
        reason: "direct_only",
      },
      /^path +agent-b: hole-punch to 1.2.3.4:5, RTT 38 ms \(it is the only direct path that answers\)$/,
    ],
    [{ ...of, type: "peer", state: "unreachable", hostname: "" }, /^peer +node 7: unreachable$/],
    [{ ...of, type: "punch" }, /^punch +agent-b: hole punch requested$/],
    [
      { ...of, type: "trust", event: "handshake.received", via: "relay", detail: "hi\u0007" },
      /^trust +agent-b: handshake.received \(relay\): hi\\u\{7\}$/,
    ],
    [{ type: "nat", time: 1, nat_type: "symmetric", endpoint: "" }, /^nat +symmetric, seen at no endpoint$/],
    [{ type: "beacon", time: 1, address: "b:9001", reachable: false }, /^beacon +b:9001 does not answer$/],
    [{ type: "transport", time: 1, transport: "wss" }, /^network +beacon reached over wss$/],
    [{ type: "lost", time: 1, count: 3 }, /^lost +3 events came faster/],
    [{ type: "other", time: 1, name: "moon", json: '{"type":"moon"}' }, /^moon +\{"type":"moon"\}$/],
  ];
  for (const [event, words] of events) assertMatch(eventWords(event), words);
  const unknown: ClientEvent = { type: "other", time: 1, name: "moon", json: '{"type":"moon","phase":1}' };
  assertEquals(jsonOf(unknown), '{"type":"moon","phase":1}');

  const agent = new FakeAgent();
  await withServer(async ({ path }) => {
    const env = { PILOT_HOME: path.replace(/\/s$/, "") };
    const watching = pilot(["events", "--json", "--count", "2", "--socket", path], { env });
    let told = 0;
    const timer = setInterval(() => {
      if (agent.listening.size > 0 && told++ < 2) agent.tell({ ...of, type: "punch", node_id: told });
    }, 10);
    const { code, stdout } = await watching;
    clearInterval(timer);
    assertEquals(code, 0);
    const lines = stdout.trim().split("\n").map((line): unknown => JSON.parse(line));
    assertEquals(lines, [1, 2].map((node_id) => ({ ...of, node_id, type: "punch" })));
    assert(told >= 2);
  }, { agent });
});
