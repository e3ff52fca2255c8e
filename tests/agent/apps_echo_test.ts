import { encodeUtf8 } from "../../lib/wire/bytes.ts";
import { ECHO_PORT, serveEcho } from "../../services/agent/apps/echo.ts";
import { startService } from "../../services/agent/apps/service.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { FakeServices } from "./fake_stream.ts";

const MEBIBYTE = 1024 * 1024;

Deno.test("echo writes every piece back and ends with its peer", async () => {
  const agent = new FakeServices();
  const stop = serveEcho(agent);
  const stream = agent.open(ECHO_PORT);
  await stream.write(encodeUtf8("ping-0"));
  assertEquals(await stream.readText(6), "ping-0");
  await stream.write(encodeUtf8("more"));
  stream.end();
  assertEquals(new TextDecoder().decode(await stream.readToEnd()), "more");
  stop();
  assertEquals(agent.isListening(ECHO_PORT), false);
});

Deno.test("echo answers a trace with the time of arrival", async () => {
  const agent = new FakeServices();
  const stop = serveEcho(agent, { unixNs: () => 0x0102030405060708n });
  const stream = agent.open(ECHO_PORT);
  const trace = Uint8Array.of(0x54, 0x52, 0x43, 0x45, 1, 1, 1, 1, 2, 2, 2, 2);
  await stream.write(trace);
  assertEquals(await stream.read(), Uint8Array.of(...trace, 1, 2, 3, 4, 5, 6, 7, 8));
  // Longer or shorter pieces are only data.
  const almost = Uint8Array.of(...trace, 0);
  await stream.write(almost);
  assertEquals(await stream.read(), almost);
  await stream.write(trace.subarray(0, 11));
  assertEquals(await stream.read(), trace.subarray(0, 11));
  stop();
});

Deno.test("echo without a clock given answers a trace with about now", async () => {
  const agent = new FakeServices();
  const stop = serveEcho(agent);
  const stream = agent.open(ECHO_PORT);
  await stream.write(Uint8Array.of(0x54, 0x52, 0x43, 0x45, 0, 0, 0, 0, 0, 0, 0, 0));
  const answer = await stream.read();
  assert(answer !== null && answer.length === 20);
  const ns = new DataView(answer.buffer, answer.byteOffset).getBigUint64(12);
  assert(Math.abs(Number(ns / 1_000_000n) - Date.now()) < 5_000);
  stop();
});

Deno.test("echo goes on reading while it writes, but not without bound", async () => {
  const agent = new FakeServices();
  const stop = serveEcho(agent);
  const stream = agent.open(ECHO_PORT);
  stream.capacity = 1; // this side reads nothing yet: every write of the service waits
  const piece = new Uint8Array(64 * 1024).fill(7);
  for (let sent = 0; sent < 4 * MEBIBYTE; sent += piece.length) await stream.write(piece);
  stream.end();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert(stream.waiting <= piece.length, "one piece is on its way, the others wait");
  const all = await stream.readToEnd();
  assertEquals(all.length, 4 * MEBIBYTE);
  assert(all.every((byte) => byte === 7));
  stop();
});

Deno.test("echo refuses a stream that comes from an echo service", async () => {
  const agent = new FakeServices();
  const stop = serveEcho(agent);
  await assertRejects(() => agent.open(ECHO_PORT, { remotePort: ECHO_PORT }).read(), Error, "reset");
  stop();
});

Deno.test("echo ends a stream on which nothing happens", async () => {
  const agent = new FakeServices();
  const stop = serveEcho(agent, { idleMs: 10 });
  await assertRejects(() => agent.open(ECHO_PORT).read(), Error, "reset");
  stop();
});

Deno.test("echo ends a stream whose peer does not read", async () => {
  const agent = new FakeServices();
  const stop = serveEcho(agent, { idleMs: 10 });
  const stream = agent.open(ECHO_PORT);
  stream.capacity = 1;
  await stream.write(encodeUtf8("hello"));
  assertEquals(await stream.closed, "aborted");
  stop();
});

Deno.test("stopping a service ends its streams", async () => {
  const agent = new FakeServices();
  const stop = serveEcho(agent);
  const stream = agent.open(ECHO_PORT);
  await stream.write(encodeUtf8("a"));
  assertEquals(await stream.readText(1), "a");
  stop();
  await assertRejects(() => stream.read(), Error, "reset");
});

Deno.test("a service bounds the streams of a peer and of all peers", async () => {
  const agent = new FakeServices();
  const stop = startService(agent, {
    port: 9,
    limits: { perPeer: 2, total: 3 },
    serve: async (stream) => {
      while (await stream.read() !== null);
    },
  });
  const first = agent.open(9, { node: 2 });
  agent.open(9, { node: 2 });
  await assertRejects(() => agent.open(9, { node: 2 }).read(), Error, "reset");
  agent.open(9, { node: 3 });
  await assertRejects(() => agent.open(9, { node: 4 }).read(), Error, "reset");
  first.end(); // makes room again
  assertEquals(await first.read(), null);
  const next = agent.open(9, { node: 2 });
  next.end();
  assertEquals(await next.read(), null);
  stop();
});

Deno.test("one failing stream does not disturb a service", async () => {
  const agent = new FakeServices();
  const lines: string[] = [];
  const stop = startService(agent, {
    port: 9,
    log: { debug: (message) => void lines.push(message), warn: (message) => void lines.push(message) },
    serve: async (stream) => {
      const piece = await stream.read();
      if (piece !== null) throw new Error("broken");
    },
  });
  const broken = agent.open(9);
  await broken.write(encodeUtf8("x"));
  await assertRejects(() => broken.read(), Error, "reset");
  const next = agent.open(9);
  next.end();
  assertEquals(await next.read(), null);
  assertEquals(lines, ["service stream ended"]);
  stop();
});
