/** The client library against agents of another make, with the quirks they are known for. */

import { AgentClient } from "../../lib/client/agent.ts";
import { fromHex } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { delay, until } from "../agent/raw_client.ts";
import { withForeignAgent } from "./foreign_agent.ts";

const RECV_HI = fromHex("07 00000005 6869");
const CLOSE_OK = fromHex("09 00000005");

Deno.test("DialOK, data, end and double CloseOK in one piece", async () => {
  await withForeignAgent(async (message, socket) => {
    if (message[0] === 3) await socket.send(fromHex("04 00000005"), RECV_HI, RECV_HI, CLOSE_OK, CLOSE_OK);
    if (message[0] === 8) await socket.send(CLOSE_OK, CLOSE_OK);
  }, async (path) => {
    await using client = await AgentClient.connect({ socket: path });
    const stream = await client.dial("2", 7);
    assertEquals([stream.id, stream.localPort, stream.localAddress], [5, undefined, undefined]);
    assertEquals(await stream.read(), fromHex("6869"));
    assertEquals(await stream.read(), fromHex("6869"));
    assertEquals(await stream.read(), null);
    await stream.close();
  });
});

Deno.test("an Accept whose data and end come at once", async () => {
  await withForeignAgent(async (message, socket) => {
    if (message[0] === 1) {
      await socket.send(
        fromHex("02 0007"),
        fromHex("05 0007 00000005 000000000001 C000"),
        RECV_HI,
        CLOSE_OK,
      );
    }
    if (message[0] === 0x37) await socket.error("unknown command: 0x37");
    if (message[0] === 8) await socket.send(CLOSE_OK);
  }, async (path) => {
    await using client = await AgentClient.connect({ socket: path });
    const listener = await client.listen(7);
    await delay(10);
    const stream = await listener.accept();
    assert(stream !== null);
    assertEquals([stream.remote, stream.remotePort], [{ network: 0, node: 1 }, 0xc000]);
    assertEquals(await stream.read(), fromHex("6869"));
    assertEquals(await stream.read(), null);
    await listener.close();
    await stream.close();
  });
});

Deno.test("nothing of our additions is sent: no credit, no half close", async () => {
  await withForeignAgent(async (message, socket) => {
    if (message[0] === 3) await socket.send(fromHex("04 00000005"));
    if (message[0] === 6) { for (let i = 0; i < 20; i++) await socket.send(message.with(0, 7)); }
    if (message[0] === 8) await socket.send(CLOSE_OK, CLOSE_OK);
  }, async (path, sockets) => {
    await using client = await AgentClient.connect({ socket: path });
    const stream = await client.dial("2", 7);
    await stream.write(new Uint8Array(60_000));
    let received = 0;
    while (received < 20 * 60_000) received += (await stream.read())?.length ?? 0;
    await stream.closeWrite();
    await stream.close();
    const commands = sockets.at(-1)?.received.map((message) => message[0]);
    assertEquals(commands, [0x21, 3, 6, 8]);
    assertEquals(sockets.at(-1)?.received.at(-1), fromHex("08 00000005"));
  });
});

Deno.test("large writes are split", async () => {
  await withForeignAgent(async (message, socket) => {
    if (message[0] === 3) await socket.send(fromHex("04 00000005"));
    if (message[0] === 8) await socket.send(CLOSE_OK);
  }, async (path, sockets) => {
    await using client = await AgentClient.connect({ socket: path });
    const stream = await client.dial("2", 7);
    await stream.write(new Uint8Array(3_000_000));
    await stream.close();
    const sizes = sockets.at(-1)?.received.filter((message) => message[0] === 6).map((m) => m.length - 5) ??
      [];
    assertEquals(sizes.reduce((sum, size) => sum + size, 0), 3_000_000);
    assert(sizes.every((size) => size <= 65536));
  });
});

Deno.test("errors of Sends and datagrams do not hit an innocent call", async () => {
  await withForeignAgent(async (message, socket) => {
    switch (message[0]) {
      case 1:
        return await socket.send(
          fromHex("02 0007"),
          fromHex("05 0007 00000005 000000000001 C000"),
          fromHex("05 0007 00000006 000000000001 C001"),
        );
      case 6:
        return await socket.error(message[4] === 5 ? "send: connection closed" : "connection 6 not found");
      case 0x0b:
        return await socket.error("sendto: resolve node 2: registry: request failed");
      case 0x0d:
        return await socket.json(0x0e, { node_id: 9 });
      case 0x39:
        return await socket.error("unknown command: 0x39");
      case 8:
        return await socket.send(message.with(0, 9));
    }
  }, async (path) => {
    await using client = await AgentClient.connect({ socket: path });
    await client.sendTo("2", 7, Uint8Array.of(1));
    await client.sendTo("2", 7, Uint8Array.of(1));
    assertEquals((await client.info()).node_id, 9);
    const listener = await client.listen(7);
    const five = await listener.accept();
    const six = await listener.accept();
    assert(five !== null && six !== null);
    await six.write(Uint8Array.of(1));
    await five.write(Uint8Array.of(1));
    await delay(20);
    const error = await assertRejects(() => five.write(Uint8Array.of(1)), PilotError);
    assertEquals(error.message, "send: connection closed");
    const other = await assertRejects(() => six.write(Uint8Array.of(1)), PilotError);
    assertEquals([other.code, other.message], ["not_found", "connection 6 not found"]);
    await Promise.all([five.close(), six.close(), listener.close()]);
  });
});

Deno.test("a late reply to a call that was given up is not taken for the next one's", async () => {
  let infos = 0;
  await withForeignAgent(async (message, socket) => {
    if (message[0] === 0x0d) {
      const number = ++infos;
      if (number === 1) await delay(60);
      await socket.json(0x0e, { node_id: number });
    }
  }, async (path) => {
    await using client = await AgentClient.connect({ socket: path });
    const error = await assertRejects(() => client.info({ timeoutMs: 10 }), PilotError);
    assertEquals(error.code, "timeout");
    assertEquals((await client.info()).node_id, 2);
  });
});

Deno.test("info of another make: what is missing is neutral", async () => {
  await withForeignAgent(async (message, socket) => {
    if (message[0] === 0x0d) {
      await socket.json(0x0e, {
        address: "0:0000.0000.0001",
        node_id: "1",
        peer_list: [{ node_id: 2, endpoint: "203.0.113.9:4000", encrypted: true, path: "warp" }, 5],
        conn_list: null,
        beacon_addr: "192.0.2.1:9001",
        features: ["reply_window", 3],
      });
    }
  }, async (path) => {
    await using client = await AgentClient.connect({ socket: path });
    const info = await client.info();
    assertEquals([info.node_id, info.address, info.version, info.pid], [0, "0:0000.0000.0001", "", 0]);
    assertEquals(info.peer_list.map((peer) => [peer.node_id, peer.path, peer.rtt_ms]), [[2, "none", null], [
      0,
      "none",
      null,
    ]]);
    assertEquals(info.conn_list, []);
    assertEquals(info.beacon.address, "192.0.2.1:9001");
    assertEquals(info.features, ["reply_window"]);
    assertEquals((await client.health()).status, "ok");
  });
});

Deno.test("waiting for trust where agents cannot wait", async () => {
  let polls = 0;
  await withForeignAgent(async (message, socket) => {
    if (message[0] === 0x0f && message[1] === 7) await socket.error("handshake: unknown sub-command 0x07");
    if (message[0] === 0x0f && message[1] === 5) {
      await socket.json(0x10, { trusted: ++polls < 2 ? [] : [{ node_id: 7 }] });
    }
  }, async (path) => {
    await using client = await AgentClient.connect({ socket: path });
    assertEquals(await client.waitForTrust(7, 5000), true);
    assertEquals(await client.waitForTrust(8, 0), false);
  });
});

Deno.test("unknown pushes, cut messages and empty ones are tolerated", async () => {
  await withForeignAgent(async (message, socket) => {
    if (message[0] !== 0x0d) return;
    await socket.send(
      fromHex("77 00"),
      fromHex("09 00"),
      fromHex("07 0000"),
      new Uint8Array(0),
      fromHex("0A 00"),
    );
    await socket.json(0x0e, { node_id: 1 });
  }, async (path) => {
    await using client = await AgentClient.connect({ socket: path });
    const error = await assertRejects(() => client.info(), PilotError);
    assertEquals(error.message, "daemon error");
    assertEquals((await client.info().catch(() => undefined))?.node_id, undefined);
  });
});

Deno.test("a close that is never answered ends in time and closes the socket", async () => {
  await withForeignAgent(async (message, socket) => {
    if (message[0] === 3) await socket.send(fromHex("04 00000005"));
  }, async (path, sockets) => {
    await using client = await AgentClient.connect({ socket: path });
    const stream = await client.dial("2", 7);
    await stream.close({ timeoutMs: 20 });
    await until(() => sockets.at(-1)?.received.at(-1)?.[0] === 8, "Close was sent");
    assertEquals(await stream.read(), null);
  });
});

Deno.test("more than the memory for a program that does not read", async () => {
  await withForeignAgent(async (message, socket) => {
    if (message[0] === 3) {
      await socket.send(fromHex("04 00000005"));
      const block = new Uint8Array(1_000_000);
      block.set(fromHex("07 00000005"));
      for (let i = 0; i < 20; i++) await socket.send(block);
    }
    if (message[0] === 8) await socket.send(CLOSE_OK);
  }, async (path, sockets) => {
    await using client = await AgentClient.connect({ socket: path });
    const stream = await client.dial("2", 7);
    await until(() => sockets.at(-1)?.received.at(-1)?.[0] === 8, "the client gave up");
    const error = await assertRejects(() => stream.read(), PilotError);
    assertEquals(error.code, "too_large");
    await stream.close();
  });
});
