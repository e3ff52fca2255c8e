/** Clients of the local socket that leave, stop half-way, read nothing, or are too many. */

import { assert, assertEquals } from "../assert.ts";
import { block, dialled, NODE_2 } from "./local_dial.ts";
import { delay, until, withServer } from "./raw_client.ts";

Deno.test("a client that left: streams closed after its last Send, ports free", async () => {
  await withServer(async (world) => {
    const client = await world.connect();
    const { id, far } = await dialled(world, client);
    await client.send("01 0009");
    await client.expect("02 0009");
    await client.send(`06 ${id} "last"`);
    client.close();
    assertEquals(new TextDecoder().decode(await far.read() ?? undefined), "last");
    assertEquals(await far.read(), null);
    await until(() => !world.agent.listeners.has(9), "port is free");
  });
});

Deno.test("a client that left in the middle of a message, or violates the framing, is cleaned up", async () => {
  for (const bytes of ["00000010 06 00", "FFFFFFFF 06", "00100001"]) {
    await withServer(async (world) => {
      const client = await world.connect();
      const { far } = await dialled(world, client);
      await client.raw(bytes);
      if (bytes.startsWith("0000")) client.close();
      assertEquals(await far.read(), null);
      const next = await world.connect();
      await next.send("0D");
      await next.expectJson(0x0e);
    });
  }
});

Deno.test("half a message and nothing more ends the client, and holds nobody else up", async () => {
  await withServer(async ({ connect }) => {
    const half = await connect();
    const idle = await connect();
    await half.raw("000FFFFF 06 00");
    await idle.send("0D");
    await idle.expectJson(0x0e);
    await half.expectEnd();
    await idle.send("0D");
    await idle.expectJson(0x0e);
  }, { limits: { partialMs: 50, tickMs: 10 } });
});

Deno.test("a client that reads nothing: its stream waits, others work, then it is dropped", async () => {
  await withServer(async (world) => {
    const slow = await world.connect();
    const lively = await world.connect();
    const { far } = await dialled(world, slow);
    let written = 0;
    const flood = (async () => {
      for (;; written += 65536) await far.write(new Uint8Array(65536));
    })().catch(() => {});
    await delay(100);
    const held = written;
    assert(held < 4 * 1024 * 1024, `${held} bytes were taken for a client that does not read`);
    world.agent.deliver({
      source: { network: 0, node: 3 },
      sourcePort: 1,
      destinationPort: 2,
      data: Uint8Array.of(1),
    });
    await lively.expect("0C 000000000003 0001 0002 01");
    await lively.send("0D");
    await lively.expectJson(0x0e);
    await flood;
    // What the system had buffered may still be read, then comes the end.
    while (await slow.next() !== null);
  }, { limits: { stallMs: 300, tickMs: 20, drainMs: 200 } });
});

Deno.test("a client that died while its Sends are blocked is noticed", async () => {
  await withServer(async (world) => {
    const client = await world.connect();
    const { id, far } = await dialled(world, client);
    const sending = (async () => {
      for (;;) await block(client, id);
    })().catch(() => {});
    await delay(30);
    client.close();
    await sending;
    await far.closed;
  }, { limits: { stallMs: 50, tickMs: 10, drainMs: 50 } });
});

Deno.test("requests wait in the socket when too many are open", async () => {
  await withServer(async ({ connect }) => {
    const client = await connect();
    for (let i = 0; i < 50; i++) await client.send("21");
    for (let i = 0; i < 50; i++) await client.expectJson(0x22);
  }, { limits: { requests: 3 } });
});

Deno.test("too many connections of one client, too many clients", async () => {
  await withServer(async ({ agent, connect }) => {
    const client = await connect();
    await client.send("01 0001");
    await client.expect("02 0001");
    await client.send("01 0002");
    await client.expect("02 0002");
    await client.send("01 0003");
    await client.expectError("bind: too many connections (2)");
    await client.send(`03 ${NODE_2} 0001`);
    await client.expectError("dial: too many connections (2)");
    const near = await agent.dial({ network: 0, node: 2 }, 1, { signal: new AbortController().signal });
    await near.closed;
    const second = await connect();
    await second.send("21");
    await second.expectJson(0x22);
    const third = await connect();
    await third.expectEnd();
  }, { limits: { connections: 2, clients: 2 } });
});

Deno.test("datagrams are dropped for a slow client and for those who want none", async () => {
  await withServer(async ({ agent, connect }) => {
    const slow = await connect();
    const deaf = await connect();
    await deaf.send("21 03");
    await deaf.expectJson(0x22);
    await slow.send("21");
    await slow.expectJson(0x22);
    const data = new Uint8Array(60_000);
    for (let i = 0; i < 100; i++) {
      agent.deliver({ source: { network: 0, node: 3 }, sourcePort: 1, destinationPort: 2, data });
    }
    await slow.send("21");
    let datagrams = 0;
    for (let message = await slow.next(); message?.[0] === 0x0c; message = await slow.next()) datagrams++;
    assert(datagrams > 0 && datagrams < 30, `${datagrams} datagrams were kept`);
    await deaf.send("21");
    await deaf.expectJson(0x22);
  });
});
