import { assert, assertEquals, assertRejects } from "../assert.ts";
import type { NatBehaviour } from "../../lib/core/nat/behaviour.ts";
import { Node } from "../../lib/core/node.ts";
import { nobleAead } from "../../lib/crypto/aead.ts";
import { generateIdentity } from "../../lib/crypto/identity.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { UdpDriver } from "../../lib/io/driver.ts";
import { Log } from "../../lib/io/log.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { fromHex, toHex } from "../../lib/wire/bytes.ts";
import { encodeBeacon } from "../../lib/wire/beacon.ts";
import { encodeJson, type RegistryRequest } from "../../lib/wire/registry.ts";
import { encodeLengthPrefixed, FrameSplitter } from "../../lib/wire/framing.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { type BeaconServer, type BeaconServerOptions, serveBeacon } from "../../services/beacon/serve.ts";

/** A UDP client in hex on 127.0.0.1. */
class Client {
  readonly #heard: string[] = [];
  /** The address it heard from last. */
  from = "";
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #loop = this.#receive();

  get port(): number {
    return this.#socket.addr.transport === "udp" ? this.#socket.addr.port : 0;
  }

  say(server: BeaconServer, hex: string): Promise<void> {
    return this.sayTo({ host: "127.0.0.1", port: server.port }, hex);
  }

  async sayTo({ host: hostname, port }: Endpoint, hex: string): Promise<void> {
    await this.#socket.send(fromHex(hex), { transport: "udp", hostname, port });
  }

  async hears(): Promise<string> {
    for (let tries = 0; tries < 400; tries++) {
      const next = this.#heard.shift();
      if (next !== undefined) return next;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error("heard nothing for 2 s");
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#loop;
  }

  async #receive(): Promise<void> {
    try {
      for await (const [data, from] of this.#socket) {
        this.from = from.transport === "udp" ? from.hostname : "";
        this.#heard.push(toHex(data));
      }
    } catch {
      // Closed.
    }
  }
}

async function withBeacon(
  options: Partial<BeaconServerOptions>,
  body: (server: BeaconServer) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const server = await serveBeacon({
    listen: "127.0.0.1:0",
    log: Log.silent,
    signal: stop.signal,
    ...options,
  });
  try {
    await body(server);
  } finally {
    stop.abort();
    await server.finished;
  }
}

const portHex = (port: number) => port.toString(16).padStart(4, "0");

Deno.test("serve: discovery, punching and relaying over real UDP", async () => {
  await withBeacon({}, async (server) => {
    assert(server.port > 0);
    const [a, b] = [new Client(), new Client()];
    await a.say(server, "0100000001");
    assertEquals(await a.hears(), `02047f000001${portHex(a.port)}`);
    await b.say(server, "0800000002");
    assertEquals(await b.hears(), `02047f000001${portHex(b.port)}`);
    await a.say(server, "030000000100000002");
    assertEquals(await a.hears(), `04047f000001${portHex(b.port)}00000002`);
    assertEquals(await b.hears(), `04047f000001${portHex(a.port)}00000001`);
    await a.say(server, "050000000100000002aabb");
    assertEquals(await b.hears(), "090000000100000002aabb");
    await b.say(server, "050000000200000001cc");
    assertEquals(await a.hears(), "0600000002cc");
    const { nodes, relayed, received } = server.stats();
    assertEquals({ nodes, relayed, received }, { nodes: 2, relayed: 2, received: 5 });
    await a.close();
    await b.close();
  });
});

/** A node with nothing to do but to examine its NAT, until it has. */
async function examinedBy(server: BeaconServer): Promise<NatBehaviour> {
  const clock = new SystemClock();
  const random = systemRandom;
  const options = { aead: nobleAead, random, unixTime: () => clock.unixMs(), node: 1 };
  const node = new Node({ ...options, identity: generateIdentity(random) });
  const driver = UdpDriver.bind(node, { host: "127.0.0.1", clock });
  const act = (step: () => void) => {
    node.act(clock.now(), step);
    driver.wake();
  };
  act(() => {
    node.setLocal([driver.endpoint], clock.now());
    node.setBeacons([{ host: server.address, port: server.port }], clock.now());
  });
  for (let tries = 0; tries < 6_000 && node.examiner.state !== "done"; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  driver.close();
  await driver.finished;
  return node.nat;
}

Deno.test("serve: a node learns by a second port that nothing translates its address", async () => {
  await withBeacon({}, async (server) => {
    assert(server.altPort > 0 && server.altPort !== server.port);
    assertEquals(await examinedBy(server), {
      isTranslated: false,
      mapping: "endpoint-independent",
      mappingIsPresumed: true,
      filtering: "address-dependent",
      filteringIsBound: true,
      ports: "preserving",
    });
  });
});

Deno.test({
  name: "serve: with two addresses it tells all, and is a beacon at both",
  // Elsewhere 127.0.0.2 is no address of the computer.
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await withBeacon({ listen: ["127.0.0.1:0", "127.0.0.2:0"] }, async (server) => {
      assertEquals(await examinedBy(server), {
        isTranslated: false,
        mapping: "endpoint-independent",
        filtering: "endpoint-independent",
        ports: "preserving",
      });
      const [, second] = server.endpoints;
      assert(second?.host === "127.0.0.2" && server.stats().examines > 4);
      const [a, b] = [new Client(), new Client()];
      await a.say(server, "0100000001");
      assertEquals(await a.hears(), `02047f000001${portHex(a.port)}`);
      await b.sayTo(second, "0100000002");
      assertEquals(await b.hears(), `02047f000001${portHex(b.port)}`);
      await a.say(server, "050000000100000002aabb");
      assertEquals(await b.hears(), "0600000001aabb");
      await b.sayTo(second, "050000000200000001cc");
      assertEquals(await a.hears(), "0600000002cc");
      assertEquals([a.from, b.from], ["127.0.0.1", "127.0.0.2"]);
      await a.close();
      await b.close();
    });
  },
});

Deno.test("serve: the second port is the one that is asked for, or else one that is free", async () => {
  await withBeacon({}, async (server) => {
    const altPort = server.altPort;
    const taken = await assertRejects(
      () => withBeacon({ altPort }, () => Promise.resolve()),
      PilotError,
      `port ${altPort} is already in use`,
    );
    assertEquals(taken.code, "already_exists");
  });
  const { below, close } = belowTaken();
  await withBeacon({ listen: `127.0.0.1:${below}` }, (server) => {
    assert(server.altPort > 0 && server.altPort !== below + 1);
    return Promise.resolve();
  });
  close();
});

/** A free port below one that is taken. */
function belowTaken(): { below: number; close: () => void } {
  for (;;) {
    const { addr, ...socket } = listenAt(0);
    try {
      listenAt(addr.port - 1).close();
      return { below: addr.port - 1, close: socket.close };
    } catch {
      socket.close();
    }
  }
}

function listenAt(port: number): { addr: { port: number }; close: () => void } {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
  const bound = socket.addr.transport === "udp" ? socket.addr.port : 0;
  return { addr: { port: bound }, close: () => socket.close() };
}

/** A registry that answers from a script and keeps what it was asked. */
async function fakeRegistry(beacons: { id: number; addr: string }[]) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const asked: unknown[] = [];
  const answer = async (connection: Deno.Conn) => {
    const splitter = new FrameSplitter(1 << 20);
    try {
      for await (const chunk of connection.readable) {
        const bodies = splitter.push(chunk);
        if (bodies === "too-long") return;
        for (const body of bodies) {
          const request: RegistryRequest = JSON.parse(new TextDecoder().decode(body));
          asked.push(request);
          const reply = request.type === "beacon_register"
            ? { type: "beacon_register_ok", beacon_id: request.beacon_id }
            : { type: "beacon_list_ok", beacons };
          await connection.write(encodeLengthPrefixed(encodeJson(reply)));
        }
      }
    } catch {
      // Closed.
    }
  };
  const connections: Promise<void>[] = [];
  const loop = (async () => {
    for await (const connection of listener) connections.push(answer(connection));
  })();
  return await Promise.resolve({
    address: `127.0.0.1:${listener.addr.port}`,
    asked,
    close: async () => {
      listener.close();
      await loop;
      await Promise.all(connections);
    },
  });
}

Deno.test("serve: announces itself to a registry and takes its peers from there", async () => {
  const peer = new Client();
  const registry = await fakeRegistry([{ id: 7, addr: "192.0.2.99:1" }, {
    id: 8,
    addr: `127.0.0.1:${peer.port}`,
  }]);
  await withBeacon({ id: 7, registry: registry.address, listen: "127.0.0.1:0" }, async (server) => {
    for (let tries = 0; registry.asked.length < 2 && tries < 400; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assertEquals(registry.asked[0], {
      type: "beacon_register",
      beacon_id: 7,
      addr: `127.0.0.1:${server.port}`,
    });
    const list = toHex(encodeBeacon({ kind: "sync", beacon: 8, nodes: [5] }));
    for (let tries = 0; server.stats().syncs === 0 && tries < 400; tries++) {
      await peer.say(server, list);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await peer.say(server, "0500000001000000aa");
    assert(server.stats().syncs > 0);
    const node = new Client();
    await node.say(server, "050000000100000005aa");
    assertEquals(await peer.hears(), "050000000100000005aa");
    await node.close();
  });
  await peer.close();
  await registry.close();
});

Deno.test("serve: for all addresses, announces the one the registry is reached from; or what it is told", async () => {
  for (const advertise of [undefined, "beacon.example.com:9001"]) {
    const registry = await fakeRegistry([]);
    const extra = advertise === undefined ? {} : { advertise };
    await withBeacon({ id: 7, registry: registry.address, listen: ":0", ...extra }, async (server) => {
      for (let tries = 0; registry.asked.length < 1 && tries < 400; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const addr = advertise ?? `127.0.0.1:${server.port}`;
      assertEquals(registry.asked[0], { type: "beacon_register", beacon_id: 7, addr });
    });
    await registry.close();
  }
});

Deno.test("serve: goes on without its registry", async () => {
  await withBeacon({ id: 7, registry: "127.0.0.1:1" }, async (server) => {
    const node = new Client();
    await node.say(server, "0100000001");
    assertEquals(await node.hears(), `02047f000001${portHex(node.port)}`);
    await node.close();
  });
});

Deno.test("serve: a port in use and malformed addresses are clear errors", async () => {
  const signal = new AbortController().signal;
  await withBeacon({}, async (server) => {
    const taken = await assertRejects(
      () => serveBeacon({ listen: `127.0.0.1:${server.port}`, log: Log.silent, signal }),
      PilotError,
      "already in use",
    );
    assertEquals(taken.code, "already_exists");
  });
  const malformed: Partial<BeaconServerOptions>[] = [
    { listen: "9001" },
    { listen: "127.0.0.1:99999" },
    { peers: [":9001"] },
    { registry: "nowhere" },
    { advertise: "host:0" },
    { listen: [] },
  ];
  for (const options of malformed) {
    const error = await assertRejects(
      () => serveBeacon({ listen: "127.0.0.1:0", log: Log.silent, signal, ...options }),
      PilotError,
    );
    assertEquals(error.code, "invalid_argument", JSON.stringify(options));
  }
});
