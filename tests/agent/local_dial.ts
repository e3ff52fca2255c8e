/** Streams of a raw client on the local socket. */

import type { AgentStream } from "../../services/agent/api.ts";
import { assert, assertEquals } from "../assert.ts";
import type { RawClient, World } from "./raw_client.ts";

export const NODE_2 = "000000000002";
export const DEAD = "03 000000000063 0007";

/** Dials port 7, where the test itself listens. Returns the number of the stream as hex, and its far end. */
export async function dialled(
  { agent }: World,
  client: RawClient,
  replyLength = 5,
): Promise<{ id: string; far: AgentStream }> {
  const listener = agent.listeners.get(7) ?? agent.listen(7);
  await client.send(`03 ${NODE_2} 0007`);
  const reply = await client.next();
  assertEquals([reply?.[0], reply?.length], [4, replyLength]);
  const far = await listener.accept();
  assert(far !== null);
  const id = [...reply?.subarray(1, 5) ?? []].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, far };
}

/** Fills the pipe to the peer until a Send blocks. */
export async function block(client: RawClient, id: string): Promise<void> {
  const message = new Uint8Array(5 + 600_000);
  message[0] = 6;
  message.set(Uint8Array.from(id.match(/../g) ?? [], (hex) => Number.parseInt(hex, 16)), 1);
  await client.send(message);
}
