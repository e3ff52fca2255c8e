/**
 * A driver written for Pilot Protocol by somebody else, on the sockets of two real agents: it knows nothing of our
 * additions, and every byte that it sends is written here by hand.
 */

import { concatBytes, equalBytes, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { RawClient } from "../agent/raw_client.ts";
import { assert, assertEquals } from "../assert.ts";
import { type Computer, inNetwork } from "./network.ts";
import { soon } from "./process.ts";

const SETTING = { agents: ["agent-a", "agent-b"], friends: [["agent-a", "agent-b"]] } as const;

/** A driver at each of the two agents. */
interface Drivers {
  readonly a: RawClient;
  readonly b: RawClient;
  /** Both agents' node numbers, in hex. */
  readonly nodeA: string;
  readonly nodeB: string;
}

async function withDrivers(story: (drivers: Drivers) => Promise<void>): Promise<void> {
  await inNetwork(SETTING, async (network) => {
    const [atA, atB] = [network.computer("agent-a"), network.computer("agent-b")];
    const [nodeA, nodeB] = [await nodeHex(atA), await nodeHex(atB)];
    const [a, b] = [await RawClient.connect(atA.socket), await RawClient.connect(atB.socket)];
    try {
      await story({ a, b, nodeA, nodeB });
    } finally {
      a.close();
      b.close();
    }
  });
}

async function nodeHex(computer: Computer): Promise<string> {
  return (await computer.node()).toString(16).padStart(8, "0");
}

/** The next message as hex. */
async function next(driver: RawClient, what: string): Promise<string> {
  const message = await soon(what, driver.next());
  assert(message !== null, `the agent hung up instead of: ${what}`);
  return toHex(message);
}

/** Collects Recvs of a connection until `length` bytes are there. */
async function receive(driver: RawClient, connection: string, length: number): Promise<Uint8Array> {
  let data: Uint8Array = new Uint8Array(0);
  while (data.length < length) {
    const message = fromHex(await next(driver, `${length - data.length} bytes more`));
    assertEquals(toHex(message.subarray(0, 5)), `07${connection}`);
    assert(message.length > 5, "a Recv without data");
    data = concatBytes(data, message.subarray(5));
  }
  return data;
}

/** Binds 8100 at b and dials it from a: the numbers of the connection on either side, in hex. */
async function connected({ a, b, nodeA, nodeB }: Drivers): Promise<{ atA: string; atB: string }> {
  await b.raw("00000003 01 1FA4");
  assertEquals(await next(b, "BindOK"), "021fa4");
  await a.raw(`00000009 03 0000 ${nodeB} 1FA4`);
  const dialOk = await next(a, "DialOK");
  assertEquals([dialOk.slice(0, 2), dialOk.length], ["04", 2 * 5]);
  const accept = await next(b, "Accept");
  assertEquals([accept.slice(0, 6), accept.length], ["051fa4", 2 * 15]);
  assertEquals(accept.slice(14, 26), `0000${nodeA}`);
  return { atA: dialOk.slice(2), atB: accept.slice(6, 14) };
}

Deno.test("Bind, Dial, Accept, Send, Recv, Close", async () => {
  await withDrivers(async (drivers) => {
    const { a, b } = drivers;
    const { atA, atB } = await connected(drivers);

    await a.raw(`0000000A 06 ${atA} 68656C6C6F`);
    assertEquals(new TextDecoder().decode(await receive(b, atB, 5)), "hello");
    const long = crypto.getRandomValues(new Uint8Array(10_000));
    await b.raw(concatBytes(fromHex(`00002715 06 ${atB}`), long));
    assert(equalBytes(await receive(a, atA, 10_000), long));
    // The largest Send there is.
    const longest = new Uint8Array(1_048_571).map((_, i) => i * 7 + (i >> 8));
    await a.raw(concatBytes(fromHex(`00100000 06 ${atA}`), longest));
    assert(equalBytes(await receive(b, atB, longest.length), longest));

    // The answer and the notice look the same; the peer gets the notice only.
    await a.raw(`00000005 08 ${atA}`);
    assertEquals([await next(a, "CloseOK"), await next(a, "CloseOK")], [`09${atA}`, `09${atA}`]);
    assertEquals(await next(b, "CloseOK"), `09${atB}`);
    await a.raw(`00000009 06 ${atA} 6C617465`);
    const late = new TextDecoder().decode(fromHex(await next(a, "Error")).subarray(3));
    assert(
      ["send: connection not established", `connection ${Number(`0x${atA}`)} not found`].includes(late),
      late,
    );
    await b.raw(`00000005 08 ${atB}`);
    assertEquals(await next(b, "CloseOK"), `09${atB}`);
    // Nothing else was said: what comes next is the answer to the next request.
    for (const driver of [a, b]) {
      await driver.raw("00000001 0D");
      assertEquals((await next(driver, "InfoOK")).slice(0, 2), "0e");
    }
  });
});

Deno.test("the other side closes, and a driver that hangs up closes what it had", async () => {
  await withDrivers(async (drivers) => {
    const { a, b } = drivers;
    const first = await connected(drivers);
    await b.raw(`00000008 06 ${first.atB} 627965 00000005 08 ${first.atB}`);
    assertEquals(new TextDecoder().decode(await receive(a, first.atA, 3)), "bye");
    assertEquals(await next(a, "the notice"), `09${first.atA}`);

    await a.raw(`00000009 03 0000 ${drivers.nodeB} 1FA4`);
    const second = (await next(a, "DialOK")).slice(2);
    await a.raw(`00000006 06 ${second} 21`);
    a.close();
    const messages = [await next(b, "CloseOK"), await next(b, "CloseOK")];
    assertEquals(messages, [`09${first.atB}`, `09${first.atB}`]);
    const accepted = (await next(b, "Accept")).slice(6, 14);
    assertEquals(await receive(b, accepted, 1), Uint8Array.of(0x21));
    assertEquals(await next(b, "the notice"), `09${accepted}`);
  });
});

Deno.test("errors come in the words that drivers match on, in the order of the requests", async () => {
  await withDrivers(async ({ a, b, nodeB }) => {
    const errors = [
      ["00000002 01 00", "bind: missing port"],
      ["00000006 06 00000063 78", "connection 99 not found"],
      ["00000001 7F", "unknown command: 0x7F"],
      ["00000003 01 01BC", "port 444 already bound"],
      ["00000003 01 0007", "port 7 already bound"],
      [`00000009 03 0000 ${nodeB} 1FA4`, "connection refused"],
      ["00000007 11 6e6f626f6479", undefined],
    ] as const;
    await a.raw(errors.map(([request]) => request).join(" "));
    for (const [request, text] of errors) {
      const error = fromHex(await next(a, `the answer to ${request}`));
      assertEquals(toHex(error.subarray(0, 3)), "0a0001", request);
      const shown = new TextDecoder().decode(error.subarray(3));
      if (text !== undefined) assertEquals(shown, text);
      else assert(shown.startsWith("resolve_hostname: registry: request failed"), shown);
    }
    // An unknown connection is closed like any other, an empty message is ignored.
    await a.raw("00000000 00000005 08 00000063");
    assertEquals(await next(a, "CloseOK"), "0900000063");
    // A taken port is free again when its owner hangs up.
    await b.raw("00000003 01 1FA4");
    assertEquals(await next(b, "BindOK"), "021fa4");
    await b.raw("00000003 01 1FA4");
    assertEquals(
      new TextDecoder().decode(fromHex(await next(b, "Error")).subarray(3)),
      "port 8100 already bound",
    );
  });
});

Deno.test("a datagram reaches every driver of the other agent", async () => {
  await withDrivers(async ({ a, b, nodeA, nodeB }) => {
    // The first stream makes sure that the tunnel is up: datagrams may be lost.
    await a.raw(`00000009 03 0000 ${nodeB} 0007`);
    assertEquals((await next(a, "DialOK")).slice(0, 2), "04");
    await a.raw(`0000000B 0B 0000 ${nodeB} 1388 6467`);
    const received = await next(b, "RecvFrom");
    assertEquals([received.slice(0, 14), received.slice(18)], [`0c0000${nodeA}`, "13886467"]);
  });
});
