/** The agent's standing at the registry, with a real registry on 127.0.0.1. */

import { generateIdentity } from "../../lib/crypto/identity.ts";
import { Log } from "../../lib/io/log.ts";
import { pause } from "../../lib/io/pause.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { RegistryClient } from "../../lib/io/registry_client.ts";
import { Registration, type RegistrationHooks } from "../../services/agent/registration.ts";
import { serveRegistry } from "../../services/registry/serve.ts";
import { assert, assertEquals } from "../assert.ts";

interface Bench {
  readonly registry: { host: string; port: number };
  /** Restarts the registry on the same port and store. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

async function startRegistry(store: string, port = 0): Promise<{ port: number; stop: () => Promise<void> }> {
  const ending = new AbortController();
  const listen = `127.0.0.1:${port}`;
  const server = await serveRegistry({ listen, store, log: Log.silent, signal: ending.signal });
  const stop = async () => {
    ending.abort();
    await server.finished;
  };
  return { port: server.port, stop };
}

async function withBench(run: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  let server = await startRegistry(`${folder}/registry.db`);
  const { port } = server;
  try {
    await run({
      registry: { host: "127.0.0.1", port },
      stop: () => server.stop(),
      restart: async () => {
        server = await startRegistry(`${folder}/registry.db`, port);
      },
    });
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

interface Standing {
  readonly registration: Registration;
  readonly heard: { registered: number[]; requests: number[]; responses: number[] };
  finish(): Promise<void>;
}

async function stand(
  bench: Bench,
  hostname: string,
  options: { endpoint?: () => string; relayOnly?: () => boolean } = {},
): Promise<Standing> {
  const identity = generateIdentity(systemRandom);
  const heard: Standing["heard"] = { registered: [], requests: [], responses: [] };
  const hooks: RegistrationHooks = {
    endpoint: options.endpoint ?? (() => "127.0.0.1:4000"),
    relayOnly: options.relayOnly ?? (() => false),
    registered: (node) => void heard.registered.push(node),
    request: ({ from }) => void heard.requests.push(from),
    response: ({ from }) => void heard.responses.push(from),
  };
  const registration = new Registration({
    registry: bench.registry,
    identity,
    version: "test",
    owner: "",
    hostname,
    isPublic: false,
    log: Log.silent,
    hooks,
  });
  const ending = new AbortController();
  const { finished } = await registration.start(ending.signal);
  const finish = async () => {
    ending.abort();
    await finished;
    await registration.leave();
  };
  return { registration, heard, finish };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await condition())) {
    assert(performance.now() < deadline, "waited in vain");
    await pause(10);
  }
}

async function endpointOf(bench: Bench, { registration, heard }: Standing): Promise<string> {
  const node_id = heard.registered.at(-1) ?? 0;
  await registration.request({ type: "set_visibility", node_id, public: true });
  const client = new RegistryClient({ address: bench.registry });
  const reply = await client.request({ type: "lookup", node_id });
  client.close();
  return reply.type === "lookup_ok" ? reply.real_addr ?? "" : reply.type;
}

Deno.test("registration: a node registers with its name and leaves", async () => {
  await withBench(async (bench) => {
    const a = await stand(bench, "agent-a");
    assertEquals(a.heard.registered, [1000]);
    assertEquals(a.registration.address, "0:0000.0000.03E8");
    assertEquals(a.registration.hostname, "agent-a");
    assertEquals(a.registration.state.connected, true);
    await a.finish();
    const client = new RegistryClient({ address: bench.registry });
    const gone = await client.request({ type: "lookup", node_id: 1000 });
    client.close();
    assertEquals(gone.type, "error");
  });
});

Deno.test("registration: a name that is taken is not shown as one's own", async () => {
  await withBench(async (bench) => {
    const a = await stand(bench, "agent-a");
    const b = await stand(bench, "agent-a");
    assertEquals(b.registration.hostname, "");
    assert(b.registration.hostnameError !== undefined);
    assertEquals(b.registration.state.connected, true);
    await Promise.all([a.finish(), b.finish()]);
  });
});

Deno.test("registration: without a registry it says why, and goes on trying until there is one", async () => {
  await withBench(async (bench) => {
    await bench.stop();
    const a = await stand(bench, "agent-a");
    assertEquals(a.registration.state.connected, false);
    assert((a.registration.state.error ?? "").length > 0);
    assertEquals(a.heard.registered, []);
    await bench.restart();
    await until(() => a.heard.registered.length > 0);
    assertEquals(a.registration.state.error, undefined);
    await a.finish();
  });
});

Deno.test("registration: a changed endpoint is told at once", async () => {
  await withBench(async (bench) => {
    let port = 4_000;
    const a = await stand(bench, "agent-a", { endpoint: () => `127.0.0.1:${port}` });
    assertEquals(await endpointOf(bench, a), "127.0.0.1:4000");
    port = 5_000;
    a.registration.endpointChanged();
    await until(async () => await endpointOf(bench, a) === "127.0.0.1:5000");
    await a.finish();
  });
});

Deno.test("registration: relayed requests and answers arrive without waiting for a poll interval", async () => {
  await withBench(async (bench) => {
    const a = await stand(bench, "agent-a");
    const b = await stand(bench, "agent-b");
    const [from, to] = [a.heard.registered[0] ?? 0, b.heard.registered[0] ?? 0];
    await a.registration.request({
      type: "request_handshake",
      from_node_id: from,
      to_node_id: to,
      justification: "test",
    });
    await until(() => b.heard.requests.length > 0);
    assertEquals(b.heard.requests, [from]);
    await b.registration.request({ type: "respond_handshake", node_id: to, peer_id: from, accept: true });
    await until(() => a.heard.responses.length > 0);
    assertEquals(a.heard.responses, [to]);
    await Promise.all([a.finish(), b.finish()]);
  });
});

Deno.test("registration: after an operator's deregister nothing registers again by itself", async () => {
  await withBench(async (bench) => {
    const a = await stand(bench, "agent-a");
    await a.registration.request({ type: "deregister", node_id: 1000 });
    a.registration.endpointChanged();
    await pause(300);
    const client = new RegistryClient({ address: bench.registry });
    const reply = await client.request({ type: "lookup", node_id: 1000 });
    client.close();
    assertEquals(reply.type, "error");
    assertEquals(a.heard.registered.length, 1);
    await a.finish();
  });
});
