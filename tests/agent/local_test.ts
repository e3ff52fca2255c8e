/** Streams, order, ownership, limits and cleaning up on the agent's side of the local socket. */

import { INITIAL_CREDIT } from "../../lib/client/extensions.ts";
import { assert, assertEquals } from "../assert.ts";
import type { AgentStream } from "../../services/agent/api.ts";
import { FakeAgent } from "./fake_agent.ts";
import { delay, type RawClient, until, withServer, type World } from "./raw_client.ts";

const NODE_2 = "000000000002";
const DEAD = "03 000000000063 0007";

/** Dials port 7, where the test itself listens. Returns the number of the stream as hex, and its far end. */
async function dialled(
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
async function block(client: RawClient, id: string): Promise<void> {
  const message = new Uint8Array(5 + 600_000);
  message[0] = 6;
  message.set(Uint8Array.from(id.match(/../g) ?? [], (hex) => Number.parseInt(hex, 16)), 1);
  await client.send(message);
}

Deno.test("replies come in the order of the requests", async () => {
  await withServer(async ({ connect }) => {
    const client = await connect();
    await client.send(DEAD);
    for (const port of ["0001", "0002"]) await client.send(`01 ${port}`);
    await client.send("0D");
    await client.send("7F");
    await delay(20);
    await client.send("2B");
    await client.expectError("dial cancelled");
    await client.expect("02 0001");
    await client.expect("02 0002");
    await client.expectJson(0x0e);
    await client.expectError("unknown command: 0x7F");
  });
});

Deno.test("cancel ends all dials of this client and no other", async () => {
  await withServer(async ({ agent, connect }) => {
    const one = await connect();
    const two = await connect();
    await one.send(DEAD);
    await one.send(DEAD);
    await two.send(DEAD);
    await delay(20);
    await one.send("2B");
    await one.expectError("dial cancelled");
    await one.expectError("dial cancelled");
    assertEquals(agent.dialsAborted, 2);
    two.close();
    await until(() => agent.dialsAborted === 3, "the dial of a client that left is given up");
  });
});

Deno.test("a blocked Send holds neither other streams nor pushes, but later replies", async () => {
  await withServer(async (world) => {
    const client = await world.connect();
    const one = await dialled(world, client);
    const two = await dialled(world, client);
    await block(client, one.id);
    await client.send(`06 ${two.id} "after"`);
    await client.send("0D");
    assertEquals(new TextDecoder().decode(await two.far.read() ?? undefined), "after");
    await two.far.write(new TextEncoder().encode("push"));
    await client.expect(`07 ${two.id} "push"`);
    let received = 0;
    while (received < 600_000) received += (await one.far.read())?.length ?? 0;
    await client.expectJson(0x0e);
  });
});

Deno.test("only the owner may send, anybody may close", async () => {
  await withServer(async (world) => {
    const owner = await world.connect();
    const other = await world.connect();
    const { id, far } = await dialled(world, owner);
    await other.send(`06 ${id} 01`);
    await other.expectError(`connection ${Number.parseInt(id, 16)} not found`);
    await other.send(`08 ${id}`);
    await other.expect(`09 ${id}`);
    await owner.expect(`09 ${id}`);
    assertEquals(await far.read(), null);
    await other.send("08 00ABCDEF");
    await other.expect("09 00ABCDEF");
  });
});

Deno.test("the peer's end: one notice, then one reply to Close", async () => {
  await withServer(async (world) => {
    const client = await world.connect();
    const { id, far } = await dialled(world, client);
    await far.write(Uint8Array.of(1));
    void far.close();
    await client.expect(`07 ${id} 01`);
    await client.expect(`09 ${id}`);
    await client.send(`08 ${id}`);
    await client.expect(`09 ${id}`);
    await client.send(`08 ${id}`);
    await client.expect(`09 ${id}`);
    await client.send("0D");
    await client.expectJson(0x0e);
  });
});

Deno.test("a reset is one notice; extended clients learn the reason", async () => {
  await withServer(async (world) => {
    const client = await world.connect();
    const plain = await dialled(world, client);
    plain.far.abort();
    await client.expect(`09 ${plain.id}`);
    await client.send("21 03");
    await client.expectJson(0x22);
    const listener = world.agent.listeners.get(7);
    await client.send(`03 ${NODE_2} 0007`);
    await client.expect("04 00000003 000000000001 C001");
    (await listener?.accept())?.abort();
    await client.expect("09 00000003 01");
  });
});

Deno.test("half close: the peer sees the end, what it sends still arrives", async () => {
  await withServer(async (world) => {
    const client = await world.connect();
    const { id, far } = await dialled(world, client);
    await client.send(`06 ${id} "question"`);
    await client.send(`08 ${id} 01`);
    await client.expect(`09 ${id} FF`);
    assertEquals(new TextDecoder().decode(await far.read() ?? undefined), "question");
    assertEquals(await far.read(), null);
    await far.write(new TextEncoder().encode("answer"));
    await client.expect(`07 ${id} "answer"`);
    await client.send(`06 ${id} 01`);
    await client.expectError("send: connection not established");
    void far.close();
    await client.expect(`09 ${id}`);
  });
});

Deno.test("extra bytes of other drivers are ignored", async () => {
  await withServer(async (world) => {
    const client = await world.connect();
    await client.send("01 03E8 FFFF");
    await client.expect("02 03E8");
    const { id } = await dialled(world, client);
    await client.send(`08 ${id} 02`);
    await client.expect(`09 ${id}`);
    await client.expect(`09 ${id}`);
  });
});

Deno.test("unbind gives the port back, streams of the port go on", async () => {
  await withServer(async ({ agent, connect }) => {
    const client = await connect();
    const other = await connect();
    await client.send("01 0009");
    await client.expect("02 0009");
    const near = await agent.dial({ network: 0, node: 2 }, 9, { signal: new AbortController().signal });
    await client.expect("05 0009 00000002 000000000001 C000");
    await other.send("37 0009");
    await other.expectError("unbind: port 9 not bound");
    await client.send("37 0009");
    await client.expect("38 0009");
    await other.send("01 0009");
    await other.expect("02 0009");
    await near.write(Uint8Array.of(1));
    await client.expect("07 00000002 01");
  });
});

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

Deno.test("the answer to Info fits one message", async () => {
  const agent = new FakeAgent();
  const connection = {
    ...{
      id: 1,
      local_port: 1,
      remote_addr: "0:0000.0000.0002",
      remote_port: 2,
      state: "ESTABLISHED" as const,
    },
    ...{ cong_win: 1, ssthresh: 1, in_flight: 1, srtt_ms: 1, rttvar_ms: 1, unacked: 1, ooo_buf: 1 },
    ...{ peer_recv_win: 1, recv_win: 1, in_recovery: false, bytes_sent: 1, bytes_recv: 1, segs_sent: 1 },
    ...{ segs_recv: 1, retransmits: 1, fast_retx: 1, sack_recv: 1, sack_sent: 1, dup_acks: 1 },
  };
  agent.infoFields = { conn_list: Array.from({ length: 6000 }, () => connection) };
  await withServer(async ({ connect }) => {
    const client = await connect();
    await client.send("0D 01020304");
    const info = await client.expectJson(0x0e);
    assertEquals(info["conn_list_truncated"], true);
    assertEquals(info["peer_list_truncated"], undefined);
    assert(Array.isArray(info["conn_list"]) && info["conn_list"].length > 1000);
  }, { agent });
});

Deno.test("trust and registry calls answer with the documented objects", async () => {
  await withServer(async ({ agent, connect }) => {
    const client = await connect();
    await client.send('0F 01 00000007 "collaborate ?"');
    assertEquals(await client.expectJson(0x10), { node_id: 7, status: "sent", mutual: false });
    await client.send("0F 02 00000005");
    assertEquals(await client.expectJson(0x10), { node_id: 5, status: "approved", was_pending: false });
    await client.send('0F 03 00000005 "nope"');
    assertEquals(await client.expectJson(0x10), { node_id: 5, status: "rejected", was_pending: false });
    await client.send("0F 04");
    assertEquals(await client.expectJson(0x10), { pending: [] });
    await client.send("0F 05");
    assertEquals(await client.expectJson(0x10), { trusted: [] });
    await client.send("0F 06 00000005");
    assertEquals(await client.expectJson(0x10), { node_id: 5, status: "revoked" });
    await client.send("0F 07 00000005 FFFFFFFF");
    assertEquals(await client.expectJson(0x10), { node_id: 5, status: "trusted", trusted: true });
    assertEquals(agent.actions.at(-1), "wait 5 30000");
    await client.send('11 "alpha"');
    assertEquals((await client.expectJson(0x12))["type"], "resolve_hostname_ok");
    await client.send('13 "me"');
    assertEquals(await client.expectJson(0x14), { type: "set_hostname_ok", node_id: 1, hostname: "me" });
    await client.send("15 01");
    assertEquals((await client.expectJson(0x16))["visibility"], "public");
    await client.send("17");
    assertEquals(await client.expectJson(0x18), { type: "deregister_ok" });
    await client.send('19 "null"');
    assertEquals((await client.expectJson(0x1a))["tags"], null);
    await client.send("1D 01");
    assertEquals((await client.expectJson(0x1e))["task_exec"], true);
  });
});

Deno.test("an extended client gets as much of a stream as it gave credit for", async () => {
  await withServer(async (world) => {
    const client = await world.connect();
    await client.send("21 03");
    await client.expectJson(0x22);
    const { id, far } = await dialled(world, client, 13);
    void far.write(new Uint8Array(3 * INITIAL_CREDIT)).catch(() => {});
    const receive = async (bytes: number) => {
      let received = 0;
      while (received < bytes) received += ((await client.next())?.length ?? 0) - 5;
      return received;
    };
    const first = await receive(INITIAL_CREDIT);
    await client.send("21");
    await client.expectJson(0x22);
    await client.send(`40 ${id} 00010000`);
    const second = await receive(65536 - (first - INITIAL_CREDIT));
    assertEquals(first + second, INITIAL_CREDIT + 65536);
    await delay(20);
    await client.send(`08 ${id}`);
    await client.expect(`09 ${id}`);
    await client.expect(`09 ${id} 00`);
  });
});
