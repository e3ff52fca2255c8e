import { DataFrameReader, encodeDataFrame, encodeFilePayload } from "../../lib/wire/apps.ts";
import { concatBytes, decodeUtf8, encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { DATA_EXCHANGE_PORT, dataExchangeService } from "../../services/agent/apps/data_exchange.ts";
import { startService } from "../../services/agent/apps/service.ts";
import type { StoringOptions } from "../../services/agent/apps/session.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { FakeServices, type FakeStream } from "./fake_stream.ts";
import { FakeStore } from "./fake_store.ts";

const MEBIBYTE = 1024 * 1024;

function start(options: Partial<StoringOptions> = {}) {
  const agent = new FakeServices();
  const store = new FakeStore();
  const stop = startService(agent, dataExchangeService(agent, { inbox: store, ...options }));
  return { agent, store, stop, open: (node = 2) => agent.open(DATA_EXCHANGE_PORT, { node }) };
}

function frame(type: number, payload: Uint8Array | string): Uint8Array {
  return encodeDataFrame({ type, payload: typeof payload === "string" ? encodeUtf8(payload) : payload });
}

/** The texts of the next `count` acknowledgements. */
async function answers(stream: FakeStream, count: number): Promise<string[]> {
  const reader = new DataFrameReader();
  const texts: string[] = [];
  while (texts.length < count) {
    const piece = await stream.read();
    if (piece === null) break;
    const frames = reader.push(piece);
    assert(frames !== "too-long");
    for (const { type, payload } of frames) {
      assertEquals(type, 1);
      texts.push(decodeUtf8(payload));
    }
  }
  return texts;
}

Deno.test("the worked example: a text is stored and acknowledged, byte for byte", async () => {
  const { store, stop, open } = start();
  const stream = open();
  await stream.write(fromHex("00000001 00000005 68656C6C6F".replaceAll(" ", "")));
  const answer = await stream.read();
  assert(answer !== null);
  assertEquals(toHex(answer).toUpperCase(), "000000010000001041434B20544558542035206279746573");
  assertEquals(store.texts, ["TEXT hello"]);
  stream.end();
  assertEquals(await stream.read(), null);
  stop();
});

Deno.test("every type is answered, in order, however the bytes are cut", async () => {
  const { store, stop, open } = start();
  const sent = concatBytes(
    frame(1, "hello"),
    frame(2, Uint8Array.of(0xff, 0xfe, 0)),
    frame(3, "{}"),
    frame(4, encodeFilePayload({ name: "a.txt", data: encodeUtf8("hi") })),
    frame(9, "??"),
    frame(1, ""),
  );
  const expected = [
    "ACK TEXT 5 bytes",
    "ACK BINARY 3 bytes",
    "ACK JSON 2 bytes",
    "ACK FILE 2 bytes",
    "ERR UNKNOWN(9) save failed: unsupported type",
    "ACK TEXT 0 bytes",
  ];
  for (const size of [1, 7, 16, sent.length]) {
    const stream = open();
    for (let at = 0; at < sent.length; at += size) await stream.write(sent.subarray(at, at + size));
    assertEquals(await answers(stream, expected.length), expected, `pieces of ${size}`);
    stream.end();
    assertEquals(await stream.read(), null);
  }
  assertEquals(store.messages.length, 4 * 4);
  assertEquals(store.files.map(({ name }) => name), ["a.txt", "a.txt", "a.txt", "a.txt"]);
  stop();
});

Deno.test("a file whose name does not fit is acknowledged and not stored", async () => {
  const { store, stop, open } = start();
  const stream = open();
  await stream.write(frame(4, Uint8Array.of(0xff, 0xff, 0x78, 0x79)));
  assertEquals(await answers(stream, 1), ["ACK FILE 4 bytes"]);
  assertEquals(store.files, []);
  stop();
});

Deno.test("a trace is unwrapped and answered as what it carries", async () => {
  const { store, stop, open } = start();
  const stream = open();
  const sentNs = new Uint8Array(8).fill(1);
  await stream.write(frame(5, concatBytes(Uint8Array.of(0, 0, 0, 1), sentNs, encodeUtf8("hello"))));
  await stream.write(frame(5, concatBytes(Uint8Array.of(0, 0, 0, 7), sentNs, encodeUtf8("x"))));
  await stream.write(frame(5, Uint8Array.of(0, 0, 0, 1)));
  assertEquals(await answers(stream, 3), [
    "ACK TEXT 5 bytes",
    "ERR UNKNOWN(7) save failed: unsupported type",
    "ERR UNKNOWN(5) save failed: unsupported type",
  ]);
  assertEquals(store.texts, ["TEXT hello"]);
  stop();
});

Deno.test("the longest frame is taken, one byte more ends the stream without an answer", async () => {
  const { store, stop, open } = start();
  const largest = new Uint8Array(16 * MEBIBYTE).fill(0x61);
  const stream = open();
  for (const part of pieces(frame(1, largest), 65_536)) await stream.write(part);
  assertEquals(await answers(stream, 1), ["ACK TEXT 16777216 bytes"]);
  assertEquals(store.messages[0]?.payload.length, 16 * MEBIBYTE);

  const tooLong = open();
  await tooLong.write(concatBytes(frame(1, "first"), fromHex("0000000101000001")));
  assertEquals(await answers(tooLong, 1), ["ACK TEXT 5 bytes"], "what came before is still answered");
  await assertRejects(() => tooLong.read(), Error, "reset");
  stop();
});

Deno.test("unfinished frames are bounded per peer and in total, and the bound is given back", async () => {
  const { stop, open } = start({ memory: { perPeer: 100, total: 150 } });
  const unfinished = frame(1, new Uint8Array(200)).subarray(0, 90);
  const first = open(2);
  await first.write(unfinished);
  const second = open(2);
  await second.write(unfinished);
  await assertRejects(() => second.read(), Error, "reset");
  const other = open(3);
  await other.write(unfinished);
  await assertRejects(() => other.read(), Error, "reset");
  first.abort();
  const next = open(3);
  await next.write(frame(1, "fits"));
  assertEquals(await answers(next, 1), ["ACK TEXT 4 bytes"]);
  stop();
});

Deno.test("a peer that announces much and sends little holds little", async () => {
  const { stop, open } = start({ memory: { perPeer: 1000, total: 1000 } });
  for (let count = 0; count < 20; count++) await open().write(fromHex("0000000101000000"));
  const stream = open(3);
  await stream.write(frame(1, "hello"));
  assertEquals(await answers(stream, 1), ["ACK TEXT 5 bytes"]);
  stop();
});

Deno.test("a stream ends when idle, and is reset when a frame makes no progress", async () => {
  const { stop, open } = start({ times: { idleMs: 20, progressMs: 10 } });
  assertEquals(await open().read(), null);
  const stuck = open();
  await stuck.write(fromHex("00000001000000"));
  await assertRejects(() => stuck.read(), Error, "reset");
  const deaf = open();
  deaf.capacity = 1;
  await deaf.write(frame(1, "hello"));
  assertEquals(await deaf.closed, "aborted");
  stop();
});

Deno.test("what could not be stored is said so, without a word about this computer", async () => {
  const lines: string[] = [];
  const log = {
    debug: (text: string) => void lines.push(`debug ${text}`),
    warn: (text: string) => void lines.push(text),
  };
  const { store, stop, open } = start({ log });
  const stream = open();
  const failing = async (failure: Error, sent: Uint8Array): Promise<string[]> => {
    store.failure = failure;
    await stream.write(sent);
    return await answers(stream, 1);
  };
  const file = frame(4, encodeFilePayload({ name: "f", data: new Uint8Array(3) }));
  const full = Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
  assertEquals(await failing(new PilotError("too_large", "quota"), frame(1, "a")), [
    "ERR TEXT save failed: quota",
  ]);
  assertEquals(await failing(new Error("EACCES: /home/someone/secret"), file), [
    "ERR FILE save failed: storage error",
  ]);
  assertEquals(await failing(full, frame(3, "[]")), ["ERR JSON save failed: disk full"]);
  assertEquals(lines.filter((line) => line.startsWith("debug")).length, 1, "only the quota is not news");
  stop();
});

Deno.test("the sender is recorded with its key and whether it proved it", async () => {
  const { agent, store, stop, open } = start();
  agent.trusted = [{ node_id: 2, public_key: "S0VZ", approved_at: 0, mutual: true, network: 0 }];
  agent.authenticated = [2];
  for (const node of [2, 3]) {
    const stream = open(node);
    await stream.write(frame(1, "x"));
    await answers(stream, 1);
  }
  const [known, stranger] = store.messages;
  assertEquals([known?.from, known?.fromKey, known?.authenticated], ["0:0000.0000.0002", "S0VZ", true]);
  assertEquals([stranger?.from, stranger?.fromKey, stranger?.authenticated], [
    "0:0000.0000.0003",
    undefined,
    false,
  ]);
  stop();
});

Deno.test("bare JSON is stored when its last bracket arrives, and acknowledged in bare text", async () => {
  const { store, stop, open } = start();
  const stream = open();
  const text = '{"task":"analyze","deep":[{"a":"}]\\\\"},"\\"{"]}';
  for (const part of pieces(encodeUtf8(text), 5)) await stream.write(part);
  const expected = `ACK JSON ${text.length} bytes\n`;
  assertEquals(await stream.readText(expected.length), expected);
  assertEquals(store.texts, [`JSON ${text}`]);
  // Several values on one stream, with or without space between them.
  await stream.write(encodeUtf8(' \r\n[1]{"b":2}\n[3'));
  await stream.write(encodeUtf8("]"));
  const three = "ACK JSON 3 bytes\nACK JSON 7 bytes\nACK JSON 3 bytes\n";
  assertEquals(await stream.readText(three.length), three);
  await stream.write(encodeUtf8("GET / HTTP/1.0"));
  await assertRejects(() => stream.read(), Error, "reset");
  stop();
});

Deno.test("bare text that only starts like JSON is kept as text", async () => {
  const { store, stop, open } = start();
  const balanced = open();
  await balanced.write(encodeUtf8("[urgent]"));
  assertEquals(await balanced.readText(17), "ACK TEXT 8 bytes\n");
  const cut = open();
  await cut.write(encodeUtf8('{"a":'));
  cut.end();
  assertEquals(await cut.readText(17), "ACK TEXT 5 bytes\n");
  assertEquals(store.texts, ["TEXT [urgent]", 'TEXT {"a":']);
  stop();
});

Deno.test("bare JSON has the limits of a frame", async () => {
  const { store, stop, open } = start({ times: { idleMs: 1000, progressMs: 10 } });
  const stuck = open();
  await stuck.write(encodeUtf8('{"a":'));
  await assertRejects(() => stuck.read(), Error, "reset");
  const long = open();
  const part = new Uint8Array(MEBIBYTE).fill(0x5b);
  for (let count = 0; count < 16; count++) await long.write(part);
  await long.write(part).catch(() => {});
  await assertRejects(() => long.read(), Error, "reset");
  assertEquals(store.messages, []);
  stop();
});

function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
