import { assert, assertEquals, assertMatch, assertRejects } from "../assert.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { generateIdentity, type Identity } from "../../lib/crypto/identity.ts";
import { Log } from "../../lib/io/log.ts";
import { fromHex, toHex } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { type BeaconServer, type BeaconServerOptions, serveBeacon } from "../../services/beacon/serve.ts";
import { until } from "../e2e/process.ts";
import { makeCertificates } from "../io/certificates.ts";
import { id, relay } from "./bench.ts";
import { KeyRegistry } from "./key_registry.ts";
import { WssNode } from "./wss_client.ts";

interface Scene {
  readonly server: BeaconServer;
  readonly registry: KeyRegistry;
  readonly url: string;
  /** A node that the registry knows. */
  known(node: number): { node: number; identity: Identity };
}

async function withRelay(story: (scene: Scene) => Promise<void>, more: Partial<BeaconServerOptions> = {}) {
  const registry = new KeyRegistry();
  const stop = new AbortController();
  const server = await serveBeacon({
    listen: "127.0.0.1:0",
    registry: registry.address,
    relay: { listen: "127.0.0.1:0" },
    log: Log.silent,
    signal: stop.signal,
    ...more,
  });
  const known = (node: number) => {
    const identity = generateIdentity(systemRandom);
    registry.keys.set(node, identity.publicKey);
    return { node, identity };
  };
  try {
    await story({ server, registry, url: `ws://127.0.0.1:${server.relayPort}/v1/compat`, known });
  } finally {
    stop.abort();
    await server.finished;
    await registry.close();
  }
}

Deno.test("relay: two nodes log in, and frames pass between them and to UDP", async () => {
  await withRelay(async ({ server, url, known }) => {
    const [a, b] = [await WssNode.logIn(url, known(7)), await WssNode.logIn(url, known(8))];
    a.say(relay(7, 8, "aabb"));
    assertEquals(await b.hears(), `06${id(7)}aabb`);
    b.say(`08${id(8)}`);
    b.say(relay(8, 7, "cc"));
    assertEquals(await a.hears(), `06${id(8)}cc`);
    a.say(relay(7, 8, "dd"));
    assertEquals(await b.hears(), `09${id(7)}${id(8)}dd`);
    const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const beacon = { transport: "udp", hostname: "127.0.0.1", port: server.port } as const;
    await udp.send(fromHex(`01${id(9)}`), beacon);
    await udp.receive();
    a.say(relay(7, 9, "ee"));
    assertEquals(toHex((await udp.receive())[0]), `06${id(7)}ee`);
    await udp.send(fromHex(relay(9, 7, "ff")), beacon);
    assertEquals(await a.hears(), `06${id(9)}ff`);
    udp.close();
    assertEquals(server.stats().sessions, 2);
    await Promise.all([a.close(), b.close()]);
    await until("the sessions are gone", () => server.stats().sessions === 0);
  });
});

Deno.test("relay: the challenge is as the protocol says, and never the same", async () => {
  await withRelay(async ({ url }) => {
    const [a, b] = [await WssNode.connect(url), await WssNode.connect(url)];
    const [one, two] = [await a.challenge(), await b.challenge()];
    assertMatch(a.heard[0] ?? "", /^\{"type":"auth_challenge","nonce":"[0-9a-f]{32}","ts":\d{10,}\}$/);
    assert(one.nonce !== two.nonce);
    assert(Math.abs(one.ts - Date.now() / 1_000) < 300);
    assertEquals(a.socket.protocol, "pilot.v1");
    await Promise.all([a.close(), b.close()]);
  });
});

Deno.test("relay: a thief does not get in: another's key, a wrong signature, a replayed answer, an unknown node", async () => {
  await withRelay(async ({ url, known, server, registry }) => {
    const owner = known(7);
    const thief = generateIdentity(systemRandom);
    const first = await WssNode.connect(url);
    await first.answer({ node: 7, identity: thief });
    assertEquals(await first.gone(), { code: 1008, reason: "the key is not that of the node" });

    const honest = await WssNode.connect(url);
    const sig = await honest.answer(owner);
    const replay = await WssNode.connect(url);
    await replay.answer({ ...owner, sig });
    assertEquals(await replay.gone(), { code: 1008, reason: "the signature is wrong" });

    const { asked } = registry;
    const nobody = await WssNode.connect(url);
    await nobody.answer({ node: 99, identity: thief });
    assertEquals(await nobody.gone(), { code: 1008, reason: "the key is not that of the node" });
    // Whoever cannot even sign costs the registry nothing.
    const forger = await WssNode.connect(url);
    await forger.answer({ node: 98, identity: thief, sig: btoa("x".repeat(64)) });
    await forger.gone();
    assertEquals(registry.asked, asked + 1);
    await until("the owner is in", () => server.stats().sessions === 1);
    await honest.close();
  });
});

Deno.test("relay: a key is asked for once in a while", async () => {
  await withRelay(async ({ url, known, registry }) => {
    const old = known(7);
    await (await WssNode.logIn(url, old)).close();
    await (await WssNode.logIn(url, old)).close();
    assertEquals(registry.asked, 1);
  });
});

Deno.test("relay: a second login takes the place of the first, whose end changes nothing", async () => {
  await withRelay(async ({ url, known, server }) => {
    const who = known(7);
    const [first, other] = [await WssNode.logIn(url, who), await WssNode.logIn(url, known(8))];
    const second = await WssNode.logIn(url, who);
    assertEquals(await first.gone(), { code: 4001, reason: "replaced by another login" });
    other.say(relay(8, 7, "aa"));
    assertEquals(await second.hears(), `06${id(8)}aa`);
    assertEquals(server.stats().sessions, 2);
    await Promise.all([second.close(), other.close()]);
  });
});

Deno.test("relay: who breaks the rules of the login is hung up on", async () => {
  await withRelay(async ({ url, known, server }) => {
    const early = await WssNode.connect(url);
    early.say(relay(7, 8, "aa"));
    assertEquals((await early.gone()).code, 1008);
    const talker = await WssNode.connect(url);
    talker.socket.send("{}");
    assertEquals((await talker.gone()).code, 1008);
    const huge = await WssNode.logIn(url, known(7));
    huge.socket.send(new Uint8Array(65_537));
    assert((await huge.gone()).code !== 1000);
    await until("its session is gone", () => server.stats().sessions === 0);
    const large = await WssNode.logIn(url, known(8));
    large.socket.send(new Uint8Array(65_536));
    large.say(relay(8, 8, "aa"));
    assertEquals(await large.hears(), `06${id(8)}aa`);
    await large.close();
  });
});

Deno.test("relay: without the registry a login cannot be judged, and says so", async () => {
  await withRelay(async ({ url, known, registry }) => {
    const old = known(7);
    await (await WssNode.logIn(url, old)).close();
    const unknown = known(8);
    await registry.close();
    const refused = await WssNode.connect(url);
    await refused.answer(unknown);
    assertEquals(await refused.gone(), { code: 1013, reason: "the registry cannot be asked" });
    // Keys known from before are believed.
    await (await WssNode.logIn(url, old)).close();
  });
});

Deno.test("relay: what is no WebSocket gets an answer: 426, 404, 405, health", async () => {
  await withRelay(async ({ server, url }) => {
    const base = `http://127.0.0.1:${server.relayPort}`;
    const ask = async (path: string, method = "GET") => {
      const response = await fetch(`${base}${path}`, { method });
      return [response.status, await response.text()];
    };
    assertEquals(await ask("/v1/compat"), [426, ""]);
    assertEquals(await ask("/v1/compat?x=1"), [426, ""]);
    assertEquals(await ask("/healthz"), [200, "ok"]);
    assertEquals(await ask("/"), [404, ""]);
    assertEquals(await ask("/v1/compat", "POST"), [405, ""]);
    await assertRejects(() => WssNode.connect(url, { protocol: "other" }));
  });
});

Deno.test("relay: garbage instead of a request ends the connection", async () => {
  await withRelay(async ({ server }) => {
    for (
      const garbage of [
        "\r\n\r\n",
        "GET / HTTP/1.1\r\nbroken\r\n\r\n",
        "x".repeat(9_000),
        "\x16\x03\x01\0\0\r\n\r\n",
      ]
    ) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.relayPort ?? 0 });
      await conn.write(new TextEncoder().encode(garbage));
      let end: number | null | string = 0;
      try {
        end = await conn.read(new Uint8Array(100));
      } catch {
        end = null; // reset
      }
      assertEquals(end, null);
      conn.close();
    }
  });
});

Deno.test("relay: encrypted with a certificate", async () => {
  const { authority, cert, key } = await makeCertificates();
  const folder = await Deno.makeTempDir();
  await Promise.all([Deno.writeTextFile(`${folder}/c`, cert), Deno.writeTextFile(`${folder}/k`, key)]);
  const listen = { listen: "127.0.0.1:0", certificate: `${folder}/c`, key: `${folder}/k` };
  await withRelay(async ({ server, known }) => {
    using client = Deno.createHttpClient({ caCerts: [authority] });
    const node = await WssNode.connect(`wss://127.0.0.1:${server.relayPort}/v1/compat`, { client });
    await node.answer(known(7));
    await until("it is in", () => server.stats().sessions === 1);
    await node.close();
  }, { relay: listen });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("relay: settings that make no sense are clear errors", async () => {
  const refused = async (options: Partial<BeaconServerOptions>, code: string) => {
    const signal = new AbortController().signal;
    const start = () =>
      serveBeacon({ listen: "127.0.0.1:0", registry: "127.0.0.1:9", log: Log.silent, signal, ...options });
    const error = await assertRejects(start, PilotError);
    assertEquals(error.code, code, error.message);
  };
  const signal = new AbortController().signal;
  const bare = () =>
    serveBeacon({ listen: "127.0.0.1:0", relay: { listen: "127.0.0.1:0" }, log: Log.silent, signal });
  assertMatch((await assertRejects(bare, PilotError)).message, /--wss needs --registry/);
  await refused({ relay: { listen: "0.0.0.0:0" } }, "invalid_argument");
  await refused({ relay: { listen: "nonsense" } }, "invalid_argument");
  await refused({ relay: { listen: "127.0.0.1:0", certificate: "/nowhere" } }, "invalid_argument");
  await refused({ relay: { listen: "127.0.0.1:0", certificate: "/nowhere", key: "/nowhere" } }, "not_found");
});
