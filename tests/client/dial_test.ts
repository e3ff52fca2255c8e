/** Sockets of streams that are dialled: each its own, and one that is ready for who dials again and again. */

import { AgentClient } from "../../lib/client/agent.ts";
import { fromHex } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { until } from "../agent/raw_client.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import { type ForeignSocket, withForeignAgent } from "./foreign_agent.ts";

const HEALTH = 0x21;
const DIAL = 3;
const CLOSE = 8;

/** Which commands came over each socket but the first, which belongs to the client itself. */
function commands(sockets: readonly ForeignSocket[]): (number | undefined)[][] {
  return sockets.slice(1).map(({ received }) => received.map((message) => message[0]));
}

/** An agent that lets every dial work, unless `refuses` makes it hang up. */
async function withAgent(
  body: (client: AgentClient, sockets: readonly ForeignSocket[]) => Promise<void>,
  refuses: () => boolean = () => false,
): Promise<void> {
  await withForeignAgent(async (message, socket) => {
    if (message[0] === DIAL && refuses()) socket.close();
    else if (message[0] === DIAL) await socket.send(fromHex("04 00000005"));
    if (message[0] === CLOSE) await socket.send(fromHex("09 00000005"));
  }, async (path, sockets) => {
    await using client = await AgentClient.connect({ socket: path });
    await body(client, sockets);
  });
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
  }, () => hangUps-- > 0);
});
