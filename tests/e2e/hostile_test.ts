/** Bytes that no honest program sends, to the local socket and to the UDP port: the agent shrugs. */

import { encodePacket, Protocol } from "../../lib/wire/packet.ts";
import { encodePlain, encodeSealed } from "../../lib/wire/tunnel.ts";
import { RawClient } from "../agent/raw_client.ts";
import { assertEquals, assertGreater } from "../assert.ts";
import { type Computer, freePort, inNetwork, type Network } from "./network.ts";
import { at, soon, until } from "./process.ts";

const SETTING = { agents: ["agent-a", "agent-b"], friends: [["agent-a", "agent-b"]] } as const;

/** Runs `story` with connections to an agent's socket, and closes them. */
async function withClients(
  computer: Computer,
  story: (connect: () => Promise<RawClient>) => Promise<void>,
): Promise<void> {
  const clients: RawClient[] = [];
  try {
    await story(async () => {
      const client = await RawClient.connect(computer.socket);
      clients.push(client);
      return client;
    });
  } finally {
    for (const client of clients) client.close();
  }
}

/** Asserts that both agents do everything as before. */
async function assertWellAndAlive(network: Network, pid: number): Promise<void> {
  const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
  assertEquals(at(await a.data(["status"]), "pid"), pid);
  await a.send("agent-b", "still there?");
  await b.send("agent-a", "still here");
  assertEquals([await a.inbox(), await b.inbox()], [["still here"], ["still there?"]]);
  for (const computer of [a, b]) await computer.data(["inbox", "--clear"]);
}

Deno.test("a local program that announces 4 GiB is closed, the others are served", async () => {
  await inNetwork(SETTING, async (network) => {
    const a = network.computer("agent-a");
    await withClients(a, async (connect) => {
      const honest = await connect();
      for (const length of ["FF FF FF FF", "00 10 00 01"]) {
        const greedy = await connect();
        await greedy.raw(length);
        await soon(`the end of the one with ${length}`, greedy.expectEnd());
      }
      await honest.raw("00 00 00 00  00 00 00 01 0D");
      const info = await soon("an answer for the honest one", honest.expectJson(0x0E));
      assertEquals(info["pid"], a.agent.pid);
    });
    await assertWellAndAlive(network, a.agent.pid);
  });
});

Deno.test("local programs that stop in the middle of a message hold up nobody", async () => {
  await inNetwork(SETTING, async (network) => {
    const a = network.computer("agent-a");
    await withClients(a, async (connect) => {
      for (const part of ["00", "00 00 00", "00 00 00 09", "00 00 00 09 03 00 00", "00 0F 00 00 06 00 00"]) {
        for (let n = 0; n < 10; n++) await (await connect()).raw(part);
      }
      await assertWellAndAlive(network, a.agent.pid);
    });
    await assertWellAndAlive(network, a.agent.pid);
  });
});

Deno.test("local programs that send garbage get errors or are closed, nothing else happens", async () => {
  await inNetwork(SETTING, async (network) => {
    const a = network.computer("agent-a");
    await withClients(a, async (connect) => {
      const framed = await connect();
      // Unknown commands, replies as requests, and requests that are cut short.
      const errors = [
        ["7F", "unknown command: 0x7F"],
        ["02 1F A4", "unknown command: 0x02"],
        ["01 00", "bind: missing port"],
        ["03 00 00", "dial: missing address/port"],
        ["06 00", "send: missing conn_id"],
        ["06 00 00 00 63 78", "connection 99 not found"],
        ["08", "close: missing conn_id"],
        ["0B 00", "sendto: missing address/port"],
        ["0F", "handshake: missing sub-command"],
        ["0F 09", "handshake: unknown sub-command 0x09"],
      ] as const;
      for (const [message, text] of errors) {
        await framed.send(message);
        await soon(text, framed.expectError(text));
      }
      for (let n = 0; n < 20; n++) {
        const noise = crypto.getRandomValues(new Uint8Array(10_000));
        noise[0] = 0xFF; // a length that no message has, so that no noise is by chance a valid request
        const client = await connect();
        await client.raw(noise).catch(() => {}); // it may be closed while we write
        await soon("the end of a noisy one", client.expectEnd());
      }
      await framed.raw("00 00 00 01 0D");
      await soon("an answer after all that", framed.expectJson(0x0E));
    });
    await assertWellAndAlive(network, a.agent.pid);
  });
});

Deno.test("garbage on the UDP port is counted and thrown away", async () => {
  await inNetwork({ agents: ["agent-b"] }, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const port = freePort();
    await a.start("--listen", `127.0.0.1:${port}`);
    await a.data(["trust", "add", "agent-b"]);
    await b.data(["trust", "add", "agent-a", "--wait", "30s"]);
    await a.send("agent-b", "hello");
    await b.data(["inbox", "--clear"]);

    const drops = async () => {
      const counters = at(await a.data(["info"]), "drops");
      return new Map(Object.entries(typeof counters === "object" && counters !== null ? counters : {}));
    };
    const total = async () => [...(await drops()).values()].reduce<number>((sum, n) => sum + Number(n), 0);
    const before = await total();
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    try {
      const garbage = makeGarbage(await b.node(), await a.node());
      await until("the drops are counted", async () => {
        for (const datagram of garbage) {
          await socket.send(datagram, { transport: "udp", hostname: "127.0.0.1", port });
        }
        return await total() - before >= 200;
      });
    } finally {
      socket.close();
    }
    const reasons = await drops();
    for (const reason of ["frame_short", "frame_unknown", "plaintext", "not_the_beacon"]) {
      assertGreater(Number(reasons.get(reason) ?? 0), 0, reason);
    }
    await assertWellAndAlive(network, a.agent.pid);
  });
});

/** One datagram of each kind that an agent must not believe. */
function makeGarbage(peer: number, self: number): Uint8Array[] {
  const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
  const packet = encodePacket({
    version: 1,
    flags: 1,
    protocol: Protocol.STREAM,
    source: { network: 0, node: peer },
    sourcePort: 50_000,
    destination: { network: 0, node: self },
    destinationPort: 1001,
    sequence: 1,
    acknowledgement: 0,
    window: 1000,
    payload: new Uint8Array(0),
  });
  return [
    new Uint8Array(0),
    Uint8Array.of(0x50),
    Uint8Array.of(0xFF, 0xFF, 0xFF),
    Uint8Array.of(0x01, 0x02), // as from a beacon
    Uint8Array.of(0x06, ...random(60)), // as from the relay
    Uint8Array.of(0x80, ...random(1_199)),
    Uint8Array.of(0x80, ...random(63)),
    encodePlain(packet),
    encodeSealed({ sender: peer, nonce: random(12), ciphertext: random(200) }),
    encodeSealed({ sender: self, nonce: random(12), ciphertext: random(200) }),
    encodeSealed({ sender: 0xDEAD_BEEF, nonce: random(12), ciphertext: random(17) }),
  ];
}
