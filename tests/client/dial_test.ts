/** Sockets of streams that are dialled: each its own, and some that are ready for who dials again and again. */

import { AgentClient } from "../../lib/client/agent.ts";
import { fromHex } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { until } from "../agent/raw_client.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import { type ForeignSocket, withForeignAgent } from "./foreign_agent.ts";

const HEALTH = 0x21;
const HEALTH_OK = 0x22;
const DIAL = 3;
const DIAL_OK = 4;
const CLOSE = 8;
const CLOSE_OK = 9;

/** Which commands came over each socket but the first, which belongs to the client itself. */
function commands(sockets: readonly ForeignSocket[]): (number | undefined)[][] {
  return sockets.slice(1).map(({ received }) => received.map((message) => message[0]));
}

interface Ways {
  /** Hangs up instead of dialling. */
  readonly refuses?: () => boolean;
  /** Answers Close. */
  readonly closes?: () => boolean;
  /** Speaks our additions. */
  readonly isOurs?: boolean;
}

/** An agent that lets every dial work. */
async function withAgent(
  body: (client: AgentClient, sockets: readonly ForeignSocket[]) => Promise<void>,
  { refuses = () => false, closes = () => true, isOurs = false }: Ways = {},
): Promise<void> {
  let streams = 0;
  await withForeignAgent(async (message, socket) => {
    if (message[0] === DIAL && refuses()) socket.close();
    else if (message[0] === DIAL) await socket.send(Uint8Array.of(DIAL_OK, 0, 0, 0, ++streams));
    if (message[0] === CLOSE && closes()) await socket.send(Uint8Array.of(CLOSE_OK, ...message.subarray(1)));
  }, async (path, sockets) => {
    await using client = await AgentClient.connect({ socket: path });
    await body(client, sockets);
  }, isOurs ? (_, socket) => socket.json(HEALTH_OK, { extensions: 1 }) : undefined);
}

async function dialAndClose(client: AgentClient): Promise<void> {
  await (await client.dial("2", 7)).close();
}

Deno.test("the first dial leaves no socket behind, later ones find one that has greeted already", async () => {
  await withAgent(async (client, sockets) => {
    await dialAndClose(client);
    assertEquals(commands(sockets), [[HEALTH, DIAL, CLOSE]]);
    await dialAndClose(client);
    await until(() => sockets[3]?.received.length === 1, "a socket that is ready");
    assertEquals(commands(sockets).slice(1), [[HEALTH, DIAL, CLOSE], [HEALTH]]);
    await dialAndClose(client);
    assertEquals(commands(sockets)[2], [HEALTH, DIAL, CLOSE]);
    await until(() => sockets[4]?.received.length === 1, "the next one");
  });
});

Deno.test("a ready socket whose agent is gone is replaced, noticed before the dial or with it", async () => {
  let hangUps = 0;
  await withAgent(async (client, sockets) => {
    await dialAndClose(client);
    await dialAndClose(client);
    await until(() => sockets[3]?.received.length === 1, "a socket that is ready");
    sockets[3]?.close();
    await dialAndClose(client);
    await until(() => sockets[5]?.received.length === 1, "another one that is ready");
    hangUps = 1;
    await dialAndClose(client);
    assertEquals(commands(sockets).slice(4, 6), [[HEALTH, DIAL], [HEALTH, DIAL, CLOSE]]);
    await until(() => sockets[7]?.received.length === 1, "a third one");
    hangUps = Infinity;
    assertEquals((await assertRejects(() => client.dial("2", 7), PilotError)).code, "not_running");
  }, { refuses: () => hangUps-- > 0 });
});

Deno.test("an agent of our kind: a stream that ended in order leaves its socket to the next", async () => {
  let closes = true;
  await withAgent(async (client, sockets) => {
    await dialAndClose(client);
    await dialAndClose(client);
    assertEquals(commands(sockets)[0], [HEALTH, DIAL, CLOSE, DIAL, CLOSE]);
    const first = await client.dial("2", 7);
    const second = await client.dial("2", 7);
    assertEquals(commands(sockets).map((received) => received.at(-1)).slice(0, 2), [DIAL, DIAL]);
    await sockets[1]?.send(fromHex("07 00000003 61"));
    await sockets[2]?.send(fromHex("07 00000004 62"));
    const heard = await Promise.all([first.read(), second.read()]);
    assertEquals(heard, [Uint8Array.of(0x61), Uint8Array.of(0x62)]);
    closes = false;
    // Nobody knows what still comes for a stream whose end was not answered.
    await first.close({ timeoutMs: 10 });
    await until(() => sockets[1]?.closed === true, "the socket is closed");
  }, { isOurs: true, closes: () => closes });
});

Deno.test("an agent of our kind: what comes late for an ended stream does not reach the next on its socket", async () => {
  await withAgent(async (client, sockets) => {
    await dialAndClose(client);
    const stream = await client.dial("2", 7);
    await sockets[1]?.send(fromHex("07 00000001 61"));
    await sockets[1]?.send(fromHex("09 00000001 00"));
    await sockets[1]?.send(fromHex("07 00000002 62"));
    assertEquals(await stream.read(), Uint8Array.of(0x62));
    await stream.close();
  }, { isOurs: true });
});

Deno.test("only a few sockets are kept ready, and none after the client is closed", async () => {
  await withAgent(async (client, sockets) => {
    const streams = await Promise.all(Array.from({ length: 10 }, () => client.dial("2", 7)));
    await Promise.all(streams.slice(1).map((stream) => stream.close()));
    const open = () => sockets.slice(1).filter(({ closed }) => !closed).length;
    await until(() => open() === 5, "four that are ready and one with a stream");
    client.close();
    await until(() => open() === 1, "the one with a stream");
    await streams[0]?.close();
    await until(() => open() === 0, "none");
  }, { isOurs: true });
});
