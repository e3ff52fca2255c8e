/** How the agent hands a stream's bytes to a local client. */

import { assert, assertEquals } from "../assert.ts";
import { INITIAL_CREDIT } from "../../lib/client/extensions.ts";
import type { AgentStream } from "../../services/agent/api.ts";
import type { FakeStream } from "./fake_agent_stream.ts";
import { delay, type RawClient, until, withServer, type World } from "./raw_client.ts";

/** Dials port 7, where the test itself listens: the client's end and the far end. */
async function dialled(
  { agent }: World,
  client: RawClient,
): Promise<{ near: FakeStream; far: AgentStream }> {
  const listener = agent.listeners.get(7) ?? agent.listen(7);
  await client.send("03 000000000002 0007");
  const reply = await client.next();
  assert(reply !== null && reply[0] === 4);
  const far = await listener.accept();
  const near = agent.stream(new DataView(reply.buffer, reply.byteOffset).getUint32(1));
  assert(far !== null && near !== undefined);
  return { near, far };
}

Deno.test("what waits in a stream: one Recv for an extended client, in order; as it came for a plain one", async () => {
  await withServer(async (world) => {
    for (const extended of [false, true]) {
      const client = await world.connect();
      if (extended) {
        await client.send("21 03");
        await client.expectJson(0x22);
      }
      const { far } = await dialled(world, client);
      const data = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7 + (i >> 8));
      void far.write(data).catch(() => {});
      const sizes: number[] = [];
      let at = 0;
      while (at < data.length) {
        const message = await client.next();
        assert(message !== null && message[0] === 7);
        assertEquals(message.subarray(5), data.subarray(at, at + message.length - 5));
        at += message.length - 5;
        sizes.push(message.length - 5);
      }
      if (extended) {
        assert(sizes.length < 10, `${sizes.length} messages`);
        assert(Math.max(...sizes) < 256 * 1024);
      } else assertEquals(new Set(sizes.slice(0, -1)), new Set([4096]));
    }
  });
});

Deno.test("a plain client gets at most 65,535 bytes in a Recv, however large the pieces are", async () => {
  await withServer(async (world) => {
    const client = await world.connect();
    const { near } = await dialled(world, client);
    // Segments between our own nodes may be larger than those of the public network.
    near.inject(new Uint8Array(150_000).fill(9));
    const sizes: number[] = [];
    for (let i = 0; i < 3; i++) sizes.push(((await client.next())?.length ?? 0) - 5);
    assertEquals(sizes, [65_535, 65_535, 18_930]);
  });
});

Deno.test("a client that does not read stops its stream: the agent holds no more than its limits", async () => {
  for (const extended of [false, true]) {
    await withServer(async (world) => {
      const client = await world.connect();
      if (extended) {
        await client.send("21 03");
        await client.expectJson(0x22);
      }
      const { near, far } = await dialled(world, client);
      let written = 0;
      const flood = (async () => {
        for (const block = new Uint8Array(65_536); written < 16e6;) {
          await far.write(block);
          written += block.length;
        }
      })();
      await until(() => near.buffered >= 200_000, "the pipe is full");
      await delay(100);
      const held = written;
      await delay(100);
      assertEquals(written, held, "the sender stands still");
      assert(held <= 4 * INITIAL_CREDIT, `${held} bytes were taken although nobody reads`);
      flood.catch(() => {});
      far.abort();
    });
  }
});
