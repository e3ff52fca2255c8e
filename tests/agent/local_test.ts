/** Streams, order and ownership on the agent's side of the local socket. */

import { INITIAL_CREDIT } from "../../lib/client/extensions.ts";
import { assert, assertEquals } from "../assert.ts";
import { FakeAgent } from "./fake_agent.ts";
import { block, DEAD, dialled, NODE_2 } from "./local_dial.ts";
import { delay, until, withServer } from "./raw_client.ts";

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
