/** Every error text that programs match on. */

import { PilotError } from "../../lib/wire/error.ts";
import { assertEquals } from "../assert.ts";
import { until, withServer } from "./raw_client.ts";

const NODE_2 = "000000000002";

Deno.test("malformed and unknown requests", async () => {
  const table: readonly (readonly [string, string])[] = [
    ["01", "bind: missing port"],
    ["03 0000000000 0203", "dial: missing address/port"],
    ["06 000000", "send: missing conn_id"],
    ["06 00000063", "connection 99 not found"],
    ["08 000000", "close: missing conn_id"],
    ["0B 00000000000203", "sendto: missing address/port"],
    ["0F", "handshake: missing sub-command"],
    ["0F 09", "handshake: unknown sub-command 0x09"],
    ["0F 01 000000", "handshake request: missing node_id"],
    ["0F 02", "handshake approve: missing node_id"],
    ["0F 03", "handshake reject: missing node_id"],
    ["0F 06", "handshake revoke: missing node_id"],
    ["11", "resolve_hostname: missing hostname"],
    ['11 "beta"', "resolve_hostname: registry: request failed"],
    ["15", "set_visibility: missing value"],
    ['19 "[1]"', "set_tags: invalid JSON: a tag is not a string"],
    ['19 "[`a`]"', "set_tags: invalid JSON: not an array"],
    ["1D", "set_task_exec: missing value"],
    ['1B "x"', "set_webhook: not available"],
    ["02 0001", "unknown command: 0x02"],
    ["0A", "unknown command: 0x0A"],
    ["1F 01", "unknown command: 0x1F"],
    ["2D 00000001", "unknown command: 0x2D"],
    ["40 00000001 00000001", "unknown command: 0x40"],
    ["7F", "unknown command: 0x7F"],
    ["FF", "unknown command: 0xFF"],
    ["37 0001", "unbind: port 1 not bound"],
  ];
  await withServer(async ({ connect }) => {
    const client = await connect();
    for (const [request, text] of table) {
      await client.send(request);
      await client.expectError(text);
    }
    await client.send(Uint8Array.of(0x19, ...new TextEncoder().encode('["a","b","c","d"]')));
    await client.expectError("set_tags: maximum 3 tags allowed");
  });
});

Deno.test("failures of a dial", async () => {
  const table: readonly (readonly [PilotError | Error, string])[] = [
    [new PilotError("connection_failed", "connection refused"), "connection refused"],
    [new PilotError("timeout", "dial timeout"), "dial timeout"],
    [new PilotError("timeout", "nobody answered"), "dial timeout"],
    [new PilotError("not_found", "no such node"), "resolve node 2: registry: request failed"],
    [new PilotError("not_trusted", "no trust"), "resolve node 2: registry: request failed"],
    [new PilotError("not_found", "node 2 has no real address"), "node 2 has no real address"],
    [
      new PilotError("connection_failed", "send failed and reconnect failed: refused"),
      "resolve node 2: send failed and reconnect failed: refused",
    ],
    [new PilotError("unavailable", "resolve 1.2.3.4:x: bad port"), "resolve 1.2.3.4:x: bad port"],
    [new PilotError("connection_failed", "send SYN: no route"), "send SYN: no route"],
    [new Error("bug"), "internal error"],
  ];
  await withServer(async ({ agent, connect }) => {
    const client = await connect();
    for (const [error, text] of table) {
      agent.dialError = error;
      await client.send(`03 ${NODE_2} 0007`);
      await client.expectError(text);
    }
  });
});

Deno.test("failures of a datagram, alone and confirmed", async () => {
  const table: readonly (readonly [PilotError, string])[] = [
    [new PilotError("not_found", "no such node"), "sendto: resolve node 2: registry: request failed"],
    [new PilotError("too_large", "above the limit"), "sendto: write udp: message too long"],
  ];
  await withServer(async ({ agent, connect }) => {
    const client = await connect();
    for (const [error, text] of table) {
      agent.datagramError = error;
      for (const command of ["0B", "39"]) {
        await client.send(`${command} ${NODE_2} 0007 00`);
        await client.expectError(text);
      }
    }
  });
});

Deno.test("failures of trust actions and of the registry", async () => {
  await withServer(async ({ agent, connect }) => {
    const client = await connect();
    agent.trustError = new PilotError("not_found", "unknown node");
    await client.send("0F 01 00000007");
    await client.expectError("handshake request: handshake relay: registry: request failed");
    agent.trustError = new PilotError("not_found", "node 77 was not trusted");
    await client.send("0F 06 0000004D");
    await client.expectError("handshake revoke: node 77 was not trusted");
    agent.registryReply = { type: "error", error: "request failed", code: "already_exists", hint: "taken" };
    for (
      const [request, name] of [
        ['13 "x"', "set_hostname"],
        ["15 01", "set_visibility"],
        ["17", "deregister"],
        ['19 "[]"', "set_tags"],
        ["1D 01", "set_task_exec"],
      ]
    ) {
      await client.send(request ?? "");
      await client.expectError(`${name}: registry: request failed`);
    }
  });
});

Deno.test("a Send on a stream that closes, that has closed, whose peer lost trust", async () => {
  await withServer(async ({ agent, connect }) => {
    const client = await connect();
    const listener = agent.listen(7);
    for (
      const [error, text] of [
        [new PilotError("connection_failed", "reset"), "send: connection closed"],
        [new PilotError("not_trusted", "revoked"), "send: no tunnel to node 2"],
      ] as const
    ) {
      await client.send(`03 ${NODE_2} 0007`);
      const reply = await client.next();
      const id = reply?.[4] ?? 0;
      const stream = agent.streams.get(id);
      if (stream === undefined) throw new Error("no stream");
      stream.write = () => Promise.reject(error);
      await client.send(`06 000000${id.toString(16).padStart(2, "0")} 01`);
      await client.expectError(text);
      await client.send(`06 000000${id.toString(16).padStart(2, "0")} 01`);
      await client.expectError("send: connection not established");
    }
    listener.close();
  });
});

Deno.test("extended clients get codes, hints and the stream's number", async () => {
  await withServer(async ({ agent, connect }) => {
    const client = await connect();
    await client.send("21 01");
    assertEquals((await client.expectJson(0x22))["extensions"], 1);
    agent.dialError = new PilotError("not_trusted", "no trust", { hint: "ask" });
    await client.send(`03 ${NODE_2} 0007`);
    await client.expect(
      '0A 000C "resolve node 2: registry: request failed" 00 7B 22 "hint" 22 3A 22 "ask" 22 7D',
    );
    await client.send("06 00000063");
    await client.expect('0A 0003 "connection 99 not found" 00 7B 22 "connection" 22 3A "99" 7D');
  });
});

Deno.test("garbage does not end the agent", async () => {
  let seed = 7;
  const random = () => seed = (seed * 1103515245 + 12345) & 0x7fffffff;
  await withServer(async ({ agent, connect }) => {
    for (let round = 0; round < 30; round++) {
      const client = await connect();
      const bytes = Uint8Array.from({ length: 2000 }, () => random() >> 16);
      if (round % 2 === 0) await client.raw(bytes).catch(() => {});
      else await client.send(bytes);
      client.close();
    }
    const client = await connect();
    await client.send("0D");
    await client.expectJson(0x0e);
    await until(() => agent.listeners.size === 0, "ports of dead clients are free");
  });
});
