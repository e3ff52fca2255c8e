import { encodeUtf8 } from "../../lib/wire/bytes.ts";
import { startService } from "../../services/agent/apps/service.ts";
import type { StoringOptions } from "../../services/agent/apps/session.ts";
import { serveStdio, STDIO_PORT, stdioService } from "../../services/agent/apps/stdio.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { FakeServices, type FakeStream } from "./fake_stream.ts";
import { FakeStore } from "./fake_store.ts";

function start(options: Partial<StoringOptions> = {}) {
  const agent = new FakeServices();
  const store = new FakeStore();
  const stop = startService(agent, stdioService(agent, { inbox: store, ...options }));
  return { store, stop, open: () => agent.open(STDIO_PORT) };
}

async function line(stream: FakeStream): Promise<string> {
  let text = "";
  while (!text.endsWith("\n")) text += await stream.readText(1);
  return text;
}

Deno.test("JSON is acknowledged at its last bracket, text after a short silence", async () => {
  const { store, stop, open } = start();
  const stream = open();
  await stream.write(encodeUtf8('{"task":'));
  await stream.write(encodeUtf8('"analyze"}\n'));
  assertEquals(await line(stream), "ACK JSON 19 bytes\n");
  await stream.write(encodeUtf8("hello "));
  await stream.write(encodeUtf8("world"));
  const before = performance.now();
  assertEquals(await line(stream), "ACK TEXT 11 bytes\n");
  assert(performance.now() - before >= 25, "the silence was waited for");
  await stream.write(Uint8Array.of(0xff, 0xfe, 0x00));
  assertEquals(await line(stream), "ACK BINARY 3 bytes\n");
  assertEquals(store.messages.map(({ type }) => type), ["JSON", "TEXT", "BINARY"]);
  assertEquals(store.texts[1], "TEXT hello world");
  stream.end();
  assertEquals(await stream.read(), null, "no message, no further answer");
  stop();
});

Deno.test("the peer's end ends a message at once", async () => {
  const { store, stop, open } = start();
  const stream = open();
  await stream.write(encodeUtf8("hello"));
  stream.end();
  assertEquals(await line(stream), "ACK TEXT 5 bytes\n");
  assertEquals(await stream.read(), null);
  assertEquals(store.texts, ["TEXT hello"]);
  stop();
});

Deno.test("an empty message is acknowledged and leaves nothing behind", async () => {
  const { store, stop, open } = start();
  const stream = open();
  stream.end();
  assertEquals(await line(stream), "ACK TEXT 0 bytes\n");
  assertEquals(await stream.read(), null);
  assertEquals(store.messages, []);
  stop();
});

Deno.test("a text that begins with brackets is not cut after them", async () => {
  const { store, stop, open } = start();
  const stream = open();
  await stream.write(encodeUtf8("[urgent] call"));
  await stream.write(encodeUtf8(" back"));
  assertEquals(await line(stream), "ACK TEXT 18 bytes\n");
  assertEquals(store.texts, ["TEXT [urgent] call back"]);
  stop();
});

Deno.test("a long message survives the pause of a retransmission", async () => {
  const { store, stop, open } = start();
  const stream = open();
  await stream.write(encodeUtf8("a".repeat(3000)));
  await new Promise((resolve) => setTimeout(resolve, 80));
  await stream.write(encodeUtf8("b".repeat(3000)));
  assertEquals(await line(stream), "ACK TEXT 6000 bytes\n");
  assertEquals(store.messages.length, 1);
  stop();
});

Deno.test("a failure to store is said", async () => {
  const { store, stop, open } = start();
  store.failure = new Error("no");
  const stream = open();
  await stream.write(encodeUtf8("{}"));
  assertEquals(await line(stream), "ERR JSON save failed: storage error\n");
  stop();
});

Deno.test("more than 16 MiB are refused", async () => {
  const { store, stop, open } = start();
  const stream = open();
  const part = new Uint8Array(1024 * 1024).fill(0x61);
  for (let count = 0; count < 16; count++) await stream.write(part);
  await stream.write(encodeUtf8("!"));
  assertEquals(await line(stream), "ERR TEXT save failed: too long\n");
  assertEquals(await stream.read(), null);
  assertEquals(store.messages, []);
  stop();
});

Deno.test("memory is bounded", async () => {
  const { stop, open } = start({ memory: { perPeer: 10, total: 10 } });
  const stream = open();
  await stream.write(encodeUtf8("a".repeat(11)));
  await assertRejects(() => stream.read(), Error, "reset");
  stop();
});

Deno.test("serveStdio listens and stops", () => {
  const agent = new FakeServices();
  const stop = serveStdio(agent, new FakeStore());
  assert(agent.isListening(STDIO_PORT));
  stop();
  assert(!agent.isListening(STDIO_PORT));
});
