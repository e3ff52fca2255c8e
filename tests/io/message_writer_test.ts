/** The writer of the local socket. */

import { MessageWriter } from "../../lib/io/message_writer.ts";
import { FrameSplitter } from "../../lib/wire/framing.ts";
import { assert, assertEquals } from "../assert.ts";

/** Takes a few bytes at a time, only when told to. */
class SlowSink {
  readonly taken: number[] = [];
  #allowed = 0;
  #waiting: (() => void) | undefined;

  allow(bytes: number): void {
    this.#allowed += bytes;
    this.#waiting?.();
  }

  async write(data: Uint8Array): Promise<number> {
    while (this.#allowed === 0) await new Promise<void>((resolve) => this.#waiting = resolve);
    const count = Math.min(this.#allowed, data.length);
    this.#allowed -= count;
    this.taken.push(...data.subarray(0, count));
    return count;
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

Deno.test("messages of several parts, in order, however slowly they are taken", async () => {
  const sink = new SlowSink();
  const writer = new MessageWriter(sink, { limit: 1000, onError: () => {} });
  const expected: number[][] = [];
  for (let i = 0; i < 300; i++) {
    const message = Array.from({ length: i % 17 }, (_, at) => (i + at) % 256);
    expected.push(message);
    void writer.push(Uint8Array.from(message.slice(0, 3)), Uint8Array.from(message.slice(3)));
  }
  const flushed = writer.flushed();
  for (let i = 0; i < 2000; i++) {
    sink.allow(7);
    await settle();
  }
  await flushed;
  const messages = new FrameSplitter(1000).push(Uint8Array.from(sink.taken));
  assert(messages !== "too-long");
  assertEquals(messages.map((message) => [...message]), expected);
  assertEquals(writer.queuedBytes, 0);
});

Deno.test("push waits when full, write until its bytes were copied, offer gives up", async () => {
  const sink = new SlowSink();
  const writer = new MessageWriter(sink, { limit: 100, onError: () => {} });
  const log: string[] = [];
  void writer.push(new Uint8Array(200)).then(() => log.push("first"));
  void writer.push(new Uint8Array(200)).then(() => log.push("second"));
  const block = new Uint8Array(50).fill(1);
  void writer.write(block).then(() => {
    block.fill(2);
    log.push("write");
  });
  assertEquals(writer.offer(new Uint8Array(1)), false);
  await settle();
  assertEquals(log, ["first"]);
  assert(writer.full);
  assert(writer.blockedFor(performance.now() + 5) >= 5);
  sink.allow(10_000);
  await writer.flushed();
  await settle();
  assertEquals(log.toSorted(), ["first", "second", "write"]);
  assertEquals(sink.taken.filter((byte) => byte === 2).length, 0);
  assertEquals(writer.blockedFor(performance.now() + 5), 0);
  assertEquals(writer.offer(new Uint8Array(1)), true);
  writer.close();
});

Deno.test("what is lent goes back once it was copied, or when it never will be; each once", async () => {
  const sink = new SlowSink();
  const writer = new MessageWriter(sink, { limit: 100, onError: () => {} });
  const returned: number[] = [];
  const lend = (fill: number, size: number) => {
    const part = new Uint8Array(size).fill(fill);
    return writer.lend([part, part.subarray(1)], () => {
      part.fill(9);
      returned.push(fill);
    });
  };
  assertEquals(lend(1, 20), true);
  assertEquals(lend(2, 40), true);
  const waiting = [lend(3, 30), lend(4, 30)];
  await settle();
  // The first call of the system has the first message; the others are still needed.
  assertEquals(returned, [1]);
  sink.allow(4 + 39);
  await settle();
  sink.allow(4 + 79 + 4 + 59);
  assertEquals(await waiting[0], true);
  await settle();
  writer.close();
  assertEquals([await waiting[1], await lend(5, 1)], [true, false]);
  assertEquals(returned, [1, 2, 3, 4, 5]);
  const messages = new FrameSplitter(1000).push(Uint8Array.from(sink.taken));
  assert(messages !== "too-long");
  assertEquals(messages.map((message) => [message.length, new Set(message)]), [
    [39, new Set([1])],
    [79, new Set([2])],
    [59, new Set([3])],
  ]);
});

Deno.test("closing wakes everybody; a failing sink is reported once", async () => {
  const sink = new SlowSink();
  const writer = new MessageWriter(sink, { limit: 10, onError: () => {} });
  void writer.push(new Uint8Array(20));
  const waiting = [writer.push(new Uint8Array(20)), writer.write(new Uint8Array(20))];
  const flushed = writer.flushed();
  writer.close();
  assertEquals(await Promise.all(waiting), [false, false]);
  await flushed;
  assertEquals(await writer.push(new Uint8Array(1)), false);

  let failures = 0;
  const broken = new MessageWriter({ write: () => Promise.reject(new Error("gone")) }, {
    limit: 10,
    onError: () => failures++,
  });
  broken.post(new Uint8Array(1));
  broken.post(new Uint8Array(1));
  await settle();
  assertEquals(failures, 1);
});

Deno.test("what waits goes out together, also where a message or its length spans two system calls", async () => {
  const calls: Uint8Array[] = [];
  let release: (() => void) | undefined;
  const sink = {
    async write(data: Uint8Array): Promise<number> {
      calls.push(data.slice());
      if (calls.length === 1) await new Promise<void>((resolve) => release = resolve);
      return data.length;
    },
  };
  const block = 256 * 1024;
  for (let short = 0; short <= 5; short++) {
    calls.length = 0;
    const writer = new MessageWriter(sink, { limit: 1e7, onError: () => {} });
    writer.post(Uint8Array.of(1));
    // The next length begins so many bytes before the end of the block.
    const sizes = [10, 20, block - 3 * 4 - 30 - short, 7, 3 * block];
    sizes.forEach((size, i) => writer.post(new Uint8Array(size).fill(i + 2)));
    assertEquals(calls.length, 1);
    const flushed = writer.flushed();
    release?.();
    await flushed;
    assert(calls.length <= 6, `${calls.length} system calls`);
    let at = 0;
    const stream = new Uint8Array(calls.reduce((sum, call) => sum + call.length, 0));
    for (const call of calls) stream.set(call, (at += call.length) - call.length);
    const messages = new FrameSplitter(1e7).push(stream);
    assert(messages !== "too-long");
    assertEquals(messages.map((message) => [message.length, message[0], message.at(-1)]), [
      [1, 1, 1],
      ...sizes.map((size, i) => [size, i + 2, i + 2]),
    ]);
    writer.close();
  }
});
