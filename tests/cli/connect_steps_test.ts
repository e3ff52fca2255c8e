/** `connect` without a message: the steps towards a direct path, as they happen. */

import type { PeerPaths } from "../../services/agent/api.ts";
import { FakeAgent } from "../agent/fake_agent.ts";
import { withServer } from "../agent/raw_client.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { pilot } from "./program.ts";

const RELAYED: PeerPaths = {
  node_id: 2,
  hostname: "alpha",
  address: "0:0000.0000.0002",
  path: "relay",
  method: "relay",
  endpoint: "203.0.113.1:9001",
  reason: "relay_trying",
  since_ms: 10,
  rtt_ms: 92,
  smoothed_rtt_ms: 92,
  min_rtt_ms: 92,
  loss: 0,
  heard_ago_ms: 1,
  bytes_sent: 0,
  bytes_recv: 0,
  pkts_sent: 0,
  pkts_recv: 0,
  encrypted: true,
  authenticated: true,
  own_kind: true,
  dialect: "current",
  advice: [{ code: "peer_symmetric_nat", ms: null }],
  paths: [],
};

const PUNCHED: PeerPaths = {
  ...RELAYED,
  path: "direct",
  method: "hole-punch",
  endpoint: "198.51.100.7:4000",
  reason: "direct_only",
  rtt_ms: 38,
  advice: [],
};

const PEER = { time: 1, node_id: 2, hostname: "alpha" } as const;

/** An agent whose peer echoes on port 7. */
function agentWith(paths: PeerPaths, nat_type: string): FakeAgent {
  const agent = new FakeAgent();
  const { node_id, hostname, endpoint, path } = paths;
  const peer = { node_id, hostname, endpoint, encrypted: true, authenticated: true };
  agent.infoFields = {
    nat_type,
    peer_list: [{ ...peer, path, rtt_ms: null, dialect: "current" }],
  };
  agent.peerPaths = [paths];
  const listener = agent.listen(7);
  void (async () => {
    for (let stream = await listener.accept(); stream !== null; stream = await listener.accept()) {
      for (let piece = await stream.read(); piece !== null; piece = await stream.read()) {
        await stream.write(piece);
      }
      await stream.close();
    }
  })();
  return agent;
}

async function connect(
  agent: FakeAgent,
  options: { readonly wait: string; readonly json?: boolean; readonly during?: () => boolean },
): Promise<{ code: number; stdout: string; stderr: string }> {
  let result = { code: -1, stdout: "", stderr: "" };
  await withServer(async ({ path }) => {
    const env = { PILOT_HOME: path.replace(/\/s$/, "") };
    let done = false;
    const timer = setInterval(() => done = done || (options.during?.() ?? true), 10);
    const json = options.json === true ? ["--json"] : [];
    result = await pilot(["connect", "alpha", "--wait", options.wait, "--socket", path, ...json], { env });
    clearInterval(timer);
    assert(done, "the story was not told to its end");
  }, { agent });
  agent.listeners.get(7)?.close();
  return result;
}

Deno.test("the hole is punched while connect waits: every step is told, the path is the new one", async () => {
  const agent = agentWith(RELAYED, "port-restricted-cone");
  let told = 0;
  const during = () => {
    if (agent.streams.size === 0 || agent.listening.size === 0) return false;
    told++;
    if (told === 2) agent.tell({ ...PEER, type: "peer", state: "connected" });
    if (told === 3) agent.tell({ ...PEER, type: "punch" });
    if (told === 4) agent.tell({ ...PEER, node_id: 3, type: "punch", hostname: "somebody else" });
    if (told < 30) return false;
    agent.peerPaths = [PUNCHED];
    const { path, method, endpoint, rtt_ms, reason } = PUNCHED;
    agent.tell({ ...PEER, type: "path", path, method, endpoint, rtt_ms, reason });
    return true;
  };
  const { code, stdout, stderr } = await connect(agent, { wait: "60s", during });
  assertEquals([code, stdout], [0, "tunnel to alpha is up\n"]);
  assertMatch(stderr, /^✓ NAT type: port-restricted-cone\n/);
  for (
    const step of [
      "✓ Keys agreed with alpha\n",
      "… Hole punch with alpha requested\n",
      "… Relayed for now; waiting up to 60 s for a direct path\n",
    ]
  ) assertStringIncludes(stderr, step);
  assertMatch(
    stderr,
    /✓ Hole punched: 198.51.100.7:4000\n✓ Connected to alpha \(hole-punch, RTT 38 ms\)\n✓ Encrypted: X25519 \+ AES-256-GCM\n$/,
  );
  assert(!stderr.includes("somebody else"));
});

Deno.test("no direct path in time: the relay, its RTT, that it cannot read, and what stands in the way", async () => {
  const { code, stderr } = await connect(agentWith(RELAYED, "symmetric"), { wait: "50ms" });
  assertEquals(code, 0);
  assertStringIncludes(stderr, "✓ NAT type: symmetric\n");
  assertStringIncludes(stderr, "✓ Connected to alpha (relay, RTT 92 ms)\n");
  assertStringIncludes(stderr, "the relay carries sealed bytes that it cannot read\n");
  assertStringIncludes(stderr, "why not direct: direct paths are being tried");
  assertStringIncludes(stderr, "picks another port for everyone it talks to");
});

Deno.test("where only the relay is left nobody waits", async () => {
  const blocked = { ...RELAYED, advice: [{ code: "own_udp_blocked", ms: null }] };
  const { code, stderr } = await connect(agentWith(blocked, "unknown"), { wait: "600s" });
  assertEquals(code, 0);
  assertStringIncludes(stderr, "This network blocks UDP");
  assert(!stderr.includes("waiting"), stderr);
});

Deno.test("connect as JSON: target, path, NAT type, RTT, encrypted", async () => {
  const { stdout, stderr } = await connect(agentWith(PUNCHED, "symmetric"), { wait: "1s", json: true });
  assertEquals(stderr, "");
  const { data } = JSON.parse(stdout);
  const { target, path, nat_type, rtt_ms, encrypted, reason } = data;
  assertEquals({ target, path, nat_type, rtt_ms, encrypted, reason }, {
    target: "0:0000.0000.0002",
    path: "hole-punch",
    nat_type: "symmetric",
    rtt_ms: 38,
    encrypted: true,
    reason: "direct_only",
  });
});
