import { generateIdentity } from "../../lib/crypto/identity.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { RegistryClient } from "../../lib/io/registry_client.ts";
import { encodeBase64, fromHex } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { encodeLengthPrefixed, FrameSplitter } from "../../lib/wire/framing.ts";
import { decodeJson, encodeJson } from "../../lib/wire/registry.ts";
import { withServer } from "../registry/tcp.ts";
import { assert, assertEquals, assertGreaterOrEqual, assertLess, assertRejects } from "../assert.ts";

const LIST = { type: "list_networks" } as const;
const LIST_OK = { type: "list_networks_ok", networks: [] } as const;

/** What a scripted registry does with the `n`-th request it ever got: bytes to send, then whether to hang up. */
type Script = (
  n: number,
  request: unknown,
) => { send?: Uint8Array; close?: boolean } | Promise<{ send?: Uint8Array }>;

/** A registry that follows a script, and what it has seen. */
class Scripted {
  readonly requests: unknown[] = [];
  connections = 0;
  readonly #listener: Deno.TcpListener;
  readonly #sockets = new Set<Deno.TcpConn>();
  readonly #script: Script;
  readonly #finished: Promise<void>;

  constructor(script: Script, port = 0) {
    this.#script = script;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#finished = this.#run();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  client(): RegistryClient {
    return new RegistryClient({ address: { host: "127.0.0.1", port: this.port } });
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (const socket of this.#sockets) await socket.write(bytes);
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets.clear();
  }

  async close(): Promise<void> {
    this.#listener.close();
    this.hangUp();
    await this.#finished;
  }

  async #run(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const socket of this.#listener) {
      this.connections++;
      this.#sockets.add(socket);
      serving.push(this.#serve(socket).catch(() => {}));
    }
    await Promise.all(serving);
  }

  async #serve(socket: Deno.TcpConn): Promise<void> {
    const splitter = new FrameSplitter(1 << 20);
    const buffer = new Uint8Array(4096);
    for (let length; (length = await socket.read(buffer)) !== null;) {
      const bodies = splitter.push(buffer.subarray(0, length));
      assert(bodies !== "too-long");
      for (const body of bodies) {
        const request = decodeJson(body);
        this.requests.push(request);
        const { send, close } = { close: false, ...await this.#script(this.requests.length, request) };
        if (send !== undefined) await socket.write(send);
        if (close && this.#sockets.delete(socket)) return socket.close();
      }
    }
  }
}

function reply(value: object): Uint8Array {
  return encodeLengthPrefixed(encodeJson(value));
}

const OK = { send: reply(LIST_OK) };

Deno.test("requests and refusals come back as values, signed where needed, on one connection", async () => {
  await withServer({}, async ({ port }) => {
    const identity = generateIdentity(systemRandom);
    const client = new RegistryClient({ address: { host: "localhost", port }, identity });
    assertEquals(client.connected, false);
    const public_key = encodeBase64(identity.publicKey);
    const registered = await client.request({ type: "register", public_key, listen_addr: "10.0.0.1:4000" });
    assert(registered.type === "register_ok");
    assertEquals(client.connected, true);
    const node_id = registered.node_id;
    assertEquals((await client.request({ type: "heartbeat", node_id })).type, "heartbeat_ok");
    assertEquals(
      (await client.request({ type: "set_hostname", node_id, hostname: "alpha" })).type,
      "set_hostname_ok",
    );
    const refused = await client.request({ type: "heartbeat", node_id: 4242 });
    assert(refused.type === "error" && refused.code === "not_registered");
    // The registration was signed, so one without is refused from now on.
    const stranger = new RegistryClient({ address: { host: "127.0.0.1", port } });
    const unsigned = await stranger.request({ type: "register", public_key, listen_addr: ":4000" });
    assert(unsigned.type === "error" && unsigned.code === "bad_signature");
    client.close();
    stranger.close();
  });
});

Deno.test("concurrent requests are answered each with its own reply", async () => {
  await withServer({}, async ({ port }) => {
    const client = new RegistryClient({ address: { host: "127.0.0.1", port } });
    const ids = Array.from({ length: 50 }, (_, i) => 5000 + i);
    const replies = await Promise.all(ids.map((node_id) => client.request({ type: "lookup", node_id })));
    for (const [i, node_id] of ids.entries()) {
      const reply = replies[i];
      assert(reply?.type === "error");
      assertEquals(reply.error, `request failed: node ${node_id} is not registered`);
    }
    client.close();
  });
});

Deno.test("a poll may take as long as its caller allows", async () => {
  await withServer({}, async ({ port }) => {
    const identity = generateIdentity(systemRandom);
    const client = new RegistryClient({ address: { host: "127.0.0.1", port }, identity });
    const public_key = encodeBase64(identity.publicKey);
    const registered = await client.request({ type: "register", public_key, listen_addr: ":4000" });
    assert(registered.type === "register_ok");
    const poll = { type: "poll_handshakes", node_id: registered.node_id, wait_ms: 300, ack: 0 } as const;
    const started = performance.now();
    const polled = await client.request(poll, { timeoutMs: 5_000 });
    assertEquals(polled.type, "poll_handshakes_ok");
    assertGreaterOrEqual(performance.now() - started, 290);
    client.close();
  });
});

Deno.test("nobody listening: connection_failed with a hint, and attempts are spaced out", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const client = new RegistryClient({ address: { host: "127.0.0.1", port } });
  const error = await assertRejects(() => client.request(LIST), PilotError, `127.0.0.1:${port}`);
  assertEquals(error.code, "connection_failed");
  assert(error.hint !== undefined);
  // Within the pause a request with little time fails at once, one with more waits for its turn.
  const started = performance.now();
  await assertRejects(() => client.request(LIST, { timeoutMs: 100 }), PilotError, `127.0.0.1:${port}`);
  assertLess(performance.now() - started, 90);
  const server = new Scripted(() => OK, port);
  assertEquals((await client.request(LIST)).type, "list_networks_ok");
  assertGreaterOrEqual(performance.now() - started, 300);
  assertLess(performance.now() - started, 3_000);
  client.close();
  await server.close();
});

Deno.test("a silent registry: timeout, and its late reply is not taken for another's", async () => {
  const server = new Scripted(async (n) => {
    if (n === 1) await new Promise((resolve) => setTimeout(resolve, 150));
    return n === 1 ? { send: reply({ type: "beacon_list_ok", beacons: [] }) } : OK;
  });
  const client = server.client();
  const error = await assertRejects(
    () => client.request({ type: "beacon_list" }, { timeoutMs: 80 }),
    PilotError,
    "did not answer within 0.08 s",
  );
  assertEquals(error.code, "timeout");
  assertEquals(client.connected, false);
  assertEquals(await client.request(LIST), LIST_OK);
  assertEquals(server.connections, 2);
  client.close();
  await new Promise((resolve) => setTimeout(resolve, 120));
  await server.close();
});

Deno.test("the caller can give up, while waiting for the reply or for its turn", async () => {
  const server = new Scripted((n) => n === 1 ? {} : OK);
  const client = server.client();
  const control = new AbortController();
  const first = client.request(LIST, { signal: control.signal });
  const waiting = new AbortController();
  const second = client.request(LIST, { signal: waiting.signal });
  const third = client.request(LIST);
  waiting.abort(new RangeError("no more"));
  await assertRejects(() => second, RangeError, "no more");
  while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  control.abort(new RangeError("enough"));
  await assertRejects(() => first, RangeError, "enough");
  assertEquals(await third, LIST_OK);
  await assertRejects(() => client.request(LIST, { signal: control.signal }), RangeError);
  assertEquals(await client.request(LIST), LIST_OK);
  client.close();
  await server.close();
});

Deno.test("a connection that died while idle is replaced without anybody noticing", async () => {
  const server = new Scripted(() => OK);
  const client = server.client();
  await client.request(LIST);
  server.hangUp();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(await client.request(LIST), LIST_OK);
  assertEquals(server.connections, 2);
  client.close();
  await server.close();
});

Deno.test("a harmless request is repeated once when the connection breaks, another never", async () => {
  const server = new Scripted((n) => n === 2 || n === 4 ? { close: true } : OK);
  const client = server.client();
  await client.request(LIST);
  assertEquals(await client.request(LIST), LIST_OK);
  assertEquals(server.requests.length, 3);
  const error = await assertRejects(
    () => client.request({ type: "update_polo_score", node_id: 1, delta: 1 }),
    PilotError,
    "closed the connection",
  );
  assertEquals(error.code, "connection_failed");
  assertEquals(server.requests.length, 4);
  assertEquals(await client.request(LIST), LIST_OK);
  client.close();
  await server.close();
});

Deno.test("a fresh connection that breaks is not tried for ever", async () => {
  const server = new Scripted(() => ({ close: true }));
  const client = server.client();
  await assertRejects(() => client.request(LIST), PilotError, "closed the connection");
  assertEquals(server.requests.length, 1);
  client.close();
  await server.close();
});

Deno.test("what is no reply of a registry is told from a registry that is away", async () => {
  const strange = [
    new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"),
    fromHex("15 03 01 00 02 02 46"),
    encodeLengthPrefixed(new TextEncoder().encode("not json")),
    encodeLengthPrefixed(new TextEncoder().encode("[]")),
    reply({ type: "heartbeat_ok", time: 1 }),
    reply({ type: "list_networks_ok" }),
    reply({ type: "list_networks_ok", networks: "none" }),
    new Uint8Array([...reply(LIST_OK), ...reply(LIST_OK)]),
    fromHex("00 00 00 00"),
  ];
  for (const send of strange) {
    const server = new Scripted(() => ({ send }));
    const client = server.client();
    const error = await assertRejects(() => client.request(LIST), PilotError, "not one of a Pilot registry");
    assertEquals(error.code, "connection_failed");
    assertEquals(client.connected, false);
    client.close();
    await server.close();
  }
});

Deno.test("a reply may come in pieces, and half of one is none", async () => {
  const bytes = reply(LIST_OK);
  const server: Scripted = new Scripted(async (n) => {
    if (n === 1) {
      await server.write(bytes.subarray(0, 3));
      await new Promise((resolve) => setTimeout(resolve, 20));
      await server.write(bytes.subarray(3, 20));
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { send: bytes.subarray(20) };
    }
    return { send: bytes.subarray(0, 20) };
  });
  const client = server.client();
  assertEquals(await client.request(LIST), LIST_OK);
  await assertRejects(() => client.request(LIST, { timeoutMs: 60 }), PilotError, "did not answer");
  client.close();
  await server.close();
});

Deno.test("an error of the public network, with nothing but its words, is a refusal", async () => {
  const server = new Scripted(() => ({ send: reply({ error: "request failed", type: "error" }) }));
  const client = server.client();
  assertEquals(await client.request(LIST), { type: "error", error: "request failed" });
  client.close();
  await server.close();
});

Deno.test("a request that is too large is not sent", async () => {
  const server = new Scripted(() => OK);
  const client = server.client();
  const request = { type: "resolve_hostname", hostname: "x".repeat(1 << 20) } as const;
  const error = await assertRejects(() => client.request(request), PilotError, "too large");
  assertEquals(error.code, "too_large");
  assertEquals(server.requests, []);
  client.close();
  await server.close();
});

Deno.test("closing ends what is under way and what comes later", async () => {
  const server = new Scripted(() => ({}));
  const client = server.client();
  const pending = client.request(LIST);
  await new Promise((resolve) => setTimeout(resolve, 30));
  client.close();
  await assertRejects(() => pending, PilotError, "is closed");
  await assertRejects(() => client.request(LIST), PilotError, "is closed");
  await server.close();
});
