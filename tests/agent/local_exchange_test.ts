/** The documented exchanges, byte by byte. */

import { assertEquals } from "../assert.ts";
import { FakeAgent } from "./fake_agent.ts";
import { until, withServer } from "./raw_client.ts";

Deno.test("echo over a stream between two agents, as documented", async () => {
  const agentB = new FakeAgent(2);
  await withServer(async ({ agent, connect }) => {
    agent.other = agentB;
    await withServer(async (b) => {
      const A = await connect();
      const B = await b.connect();
      await B.raw("00000003 01 1FA4");
      await B.expect("02 1FA4");
      await A.raw("00000009 03 000000000002 1FA4");
      await A.expect("04 00000001");
      await B.expect("05 1FA4 00000001 000000000001 C000");
      await A.raw('0000000A 06 00000001 "hello"');
      await B.expect('07 00000001 "hello"');
      const block = new Uint8Array(10_005);
      block.set([6, 0, 0, 0, 1]);
      block.fill(7, 5);
      await B.send(block);
      for (const size of [4096, 4096, 1808]) await A.expect(`07 00000001 ${"07".repeat(size)}`);
      await A.raw("00000005 08 00000001");
      await A.expect("09 00000001");
      await A.expect("09 00000001");
      await B.expect("09 00000001");
      await A.raw('00000009 06 00000001 "late"');
      await A.expect('0A 0001 "send: connection not established"');
      await B.raw("00000005 08 00000001");
      await B.expect("09 00000001");
      await B.send("0D");
      await B.expectJson(0x0e);
      await until(() => agentB.streams.size === 0, "both ends closed");
      await A.send('06 00000001 "later"');
      await A.expectError("connection 1 not found");
    }, { agent: agentB });
  });
});

Deno.test("errors as documented, empty messages ignored", async () => {
  await withServer(async ({ connect }) => {
    const client = await connect();
    await client.raw("00000002 01 00");
    await client.raw('00000006 06 00000063 "x"');
    await client.raw("00000001 7F");
    await client.raw("00000000");
    await client.expect('0A 0001 "bind: missing port"');
    await client.expect('0A 0001 "connection 99 not found"');
    await client.expect('0A 0001 "unknown command: 0x7F"');
    await client.raw("00100001");
    await client.expectEnd();
  });
});

Deno.test("the longest message is served, one byte more ends the client", async () => {
  await withServer(async ({ connect }) => {
    const client = await connect();
    const longest = new Uint8Array(1_048_576);
    longest[0] = 0x7f;
    await client.send(longest);
    await client.expectError("unknown command: 0x7F");
    await client.raw("00100001").catch(() => {});
    await client.expectEnd();
  });
});

Deno.test("two writes per message, and one byte per write", async () => {
  await withServer(async ({ connect }) => {
    const client = await connect();
    await client.raw("00000003");
    await client.raw("01 03E8");
    await client.expect("02 03E8");
    for (const byte of [0, 0, 0, 3, 1, 3, 0xe8]) await client.raw(Uint8Array.of(byte));
    await client.expect('0A 0001 "port 1000 already bound"');
  });
});

Deno.test("datagrams: sent, pushed to every client, empty ones dropped", async () => {
  await withServer(async ({ agent, connect }) => {
    const one = await connect();
    const two = await connect();
    await one.raw('0000000B 0B 000000000002 1388 "dg"');
    await one.send("0D");
    await one.expectJson(0x0e);
    await two.send("0D");
    await two.expectJson(0x0e);
    assertEquals(agent.sent.map(({ remote, port, data }) => ({ remote, port, data: [...data] })), [
      { remote: { network: 0, node: 2 }, port: 5000, data: [0x64, 0x67] },
    ]);
    const source = { network: 0, node: 1 };
    agent.deliver({ source, sourcePort: 49153, destinationPort: 5000, data: new Uint8Array(0) });
    agent.deliver({ source, sourcePort: 49153, destinationPort: 5000, data: Uint8Array.of(0x64, 0x67) });
    await one.expect('0C 000000000001 C001 1388 "dg"');
    await two.expect('0C 000000000001 C001 1388 "dg"');
  });
});

Deno.test("a failed, a confirmed and a broadcast datagram", async () => {
  await withServer(async ({ connect }) => {
    const client = await connect();
    await client.send('39 000000000002 1388 "dg"');
    await client.expect("3A");
    await client.send('0B 0000FFFFFFFF 1388 "dg"');
    await client.expectError("sendto: broadcast is not available \u2014 custom networks are WIP");
    const large = new Uint8Array(9 + 65_536);
    large.set([0x0b, 0, 0, 0, 0, 0, 2, 0x13, 0x88]);
    await client.send(large);
    await client.expectError("sendto: marshal: payload too large: 65536 bytes (max 65535)");
  });
});
