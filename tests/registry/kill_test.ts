/** The promise of a registry: what it has acknowledged is there after it was killed at any moment. */

import { generateIdentity, type Identity } from "../../lib/crypto/identity.ts";
import type { RegistryRequest } from "../../lib/wire/registry.ts";
import { assert, assertEquals, assertGreater } from "../assert.ts";
import { keyText, signed } from "./fixture.ts";
import { member, RawClient } from "./tcp.ts";

const ROUNDS = 4;
const WORKERS = 4;

/** What one worker was promised. */
interface Promised {
  readonly key: Identity;
  readonly id: number;
  hostname: string;
  tags: readonly string[];
  readonly trusts: Set<Promised>;
  readonly asked: Set<Promised>;
}

/** The same identity for the same numbers. */
function numbered(seed: number, n: number): Identity {
  return generateIdentity((target) => {
    new DataView(target.buffer).setUint32(0, seed);
    new DataView(target.buffer).setUint32(4, n + 1);
    return target;
  });
}

/** Starts a registry process and gives its port. */
async function start(store: string): Promise<{ port: number; process: Deno.ChildProcess }> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("serve_main.ts", import.meta.url).pathname, store],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = process.stdout.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    assert(!done, "the registry did not start");
    text += new TextDecoder().decode(value);
  }
  await reader.cancel();
  return { port: Number(text), process };
}

/** Makes promises until the registry dies. Only what was acknowledged is written down. */
async function hammer(port: number, seed: number, nodes: Promised[]): Promise<void> {
  const client = await RawClient.connect(port);
  const ask = async (request: RegistryRequest, key: Identity) => {
    const reply = await client.ask(signed(request, key));
    if (reply === undefined) throw new Error("gone");
    assert(member(reply, "type") !== "error", JSON.stringify(reply));
    return reply;
  };
  try {
    for (let n = 0;; n++) {
      const key = numbered(seed, n);
      const reply = await ask({ type: "register", public_key: keyText(key), listen_addr: ":4000" }, key);
      const node: Promised = {
        key,
        id: Number(member(reply, "node_id")),
        hostname: "",
        tags: [],
        trusts: new Set(),
        asked: new Set(),
      };
      const others = [...nodes];
      nodes.push(node);
      const hostname = `node-${seed}-${n}`;
      await ask({ type: "set_hostname", node_id: node.id, hostname }, key);
      node.hostname = hostname;
      const tags = [`t${n}`];
      await ask({ type: "set_tags", node_id: node.id, tags }, key);
      node.tags = tags;
      for (const peer of others.slice(-3)) {
        await ask({ type: "report_trust", node_id: node.id, peer_id: peer.id }, key);
        node.trusts.add(peer);
        await ask({ type: "report_trust", node_id: peer.id, peer_id: node.id }, peer.key);
        peer.trusts.add(node);
        const [from_node_id, to_node_id] = [node.id, peer.id];
        await ask({ type: "request_handshake", from_node_id, to_node_id, justification: "" }, key);
        node.asked.add(peer);
      }
    }
  } catch (error) {
    if (!(error instanceof Error) || error.name === "AssertionError") throw error;
  } finally {
    client.close();
  }
}

/** Checks every promise against a registry that was started again. */
async function check(port: number, nodes: readonly Promised[]): Promise<void> {
  const client = await RawClient.connect(port);
  const ask = (request: RegistryRequest, key: Identity) => client.ask(signed(request, key));
  assertEquals(new Set(nodes.map((node) => node.id)).size, nodes.length, "a number was given twice");
  for (const node of nodes) {
    const shown = await client.ask({ type: "lookup", node_id: node.id });
    assertEquals(member(shown, "public_key"), keyText(node.key));
    if (node.hostname !== "") assertEquals(member(shown, "hostname"), node.hostname);
    if (node.tags.length > 0) assertEquals(member(shown, "tags"), node.tags);
    const { key, id } = node;
    const again = await ask({ type: "register", public_key: keyText(key), listen_addr: ":4000" }, key);
    assertEquals(member(again, "node_id"), id);
    for (const peer of node.trusts) {
      if (!peer.trusts.has(node)) continue;
      const found = await ask({ type: "resolve", requester_id: id, node_id: peer.id }, key);
      assertEquals(member(found, "type"), "resolve_ok", JSON.stringify(found));
    }
    // With `ack` 0 nothing is taken out.
    const polled = await ask({ type: "poll_handshakes", node_id: id, ack: 0 }, key);
    const requests = member(polled, "requests");
    assert(Array.isArray(requests));
    const senders = new Set(requests.map((request) => member(request, "from_node_id")));
    for (const other of nodes) {
      if (other.asked.has(node)) {
        assert(senders.has(other.id), `${other.id} asked ${id}, which was forgotten`);
      }
    }
  }
  client.close();
}

Deno.test("nothing acknowledged is lost when the process is killed", async () => {
  const directory = await Deno.makeTempDir();
  const store = `${directory}/registry.db`;
  const nodes: Promised[] = [];
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  console.log(`    seed ${seed}`);
  for (let round = 0; round < ROUNDS; round++) {
    const { port, process } = await start(store);
    try {
      await check(port, nodes);
      const before = nodes.length;
      const workers = Array.from({ length: WORKERS }, (_, worker) => {
        return hammer(port, (seed % 1_000) + round * WORKERS + worker, nodes);
      });
      await new Promise((resolve) => setTimeout(resolve, 150 + ((seed >>> round) % 250)));
      process.kill("SIGKILL");
      await Promise.all(workers);
      assertGreater(nodes.length, before);
    } finally {
      try {
        process.kill("SIGKILL");
      } catch {
        // Dead already, as intended.
      }
      await process.status;
    }
  }
  const { port, process } = await start(store);
  await check(port, nodes);
  process.kill("SIGTERM");
  await process.status;
  await Deno.remove(directory, { recursive: true });
});
