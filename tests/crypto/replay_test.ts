import { assertEquals, assertThrows } from "../assert.ts";
import { ReplayWindow, ReplayWindows } from "../../lib/crypto/replay.ts";
import { concatBytes } from "../../lib/wire/bytes.ts";
import { uint32Bytes, viewOf } from "../../lib/wire/uint.ts";
import { SeededRandom } from "../sim/random.ts";

/** What the window is meant to do, without a bit map. */
class NaiveWindow {
  readonly #seen = new Set<bigint>();
  #highest = -1n;
  constructor(readonly size: number) {}
  judge(counter: bigint): "fresh" | "replay" | "old" {
    if (this.#highest - counter >= BigInt(this.size)) return "old";
    return this.#seen.has(counter) ? "replay" : "fresh";
  }
  mark(counter: bigint): void {
    this.#seen.add(counter);
    if (counter > this.#highest) this.#highest = counter;
  }
}

/** The window with counters as one number instead of two halves. */
class Window {
  readonly #window: ReplayWindow;
  constructor(size?: number) {
    this.#window = new ReplayWindow(size);
  }
  judge(counter: bigint): "fresh" | "replay" | "old" {
    return this.#window.judge(...halvesOf(counter));
  }
  mark(counter: bigint): void {
    this.#window.mark(...halvesOf(counter));
  }
}

function halvesOf(counter: bigint): [high: number, low: number] {
  return [Number(counter >> 32n), Number(counter & 0xffff_ffffn)];
}

function nonceOf(prefix: number, counter: bigint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigUint64(0, counter);
  return concatBytes(uint32Bytes(prefix), bytes);
}

Deno.test("replay: agrees with the naive model on random counters", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed);
    const size = 32 * (1 + random.int(random.chance(0.2) ? 256 : 8));
    const window = new Window(size);
    const naive = new NaiveWindow(size);
    const starts = [0n, 0n, 2n ** 32n - 500n, 2n ** 53n - 500n, 2n ** 63n, 2n ** 64n - 50_000n];
    let around = (starts[random.int(starts.length)] ?? 0n) + BigInt(random.int(50));
    for (let step = 0; step < 4000; step++) {
      if (random.chance(0.01)) around += BigInt(random.int(3 * size));
      if (random.chance(0.5)) around += BigInt(random.int(4));
      const counter = around - BigInt(random.int(2 * size));
      if (counter < 0n || counter >= 2n ** 64n) continue;
      const expected = naive.judge(counter);
      assertEquals(window.judge(counter), expected, `seed ${seed} step ${step} counter ${counter}`);
      if (expected === "fresh" && random.chance(0.8)) {
        window.mark(counter);
        naive.mark(counter);
      }
    }
  }
});

Deno.test("replay: the edges of the window", () => {
  const window = new Window(64);
  assertEquals(window.judge(0n), "fresh");
  window.mark(1000n);
  assertEquals(window.judge(1000n), "replay");
  assertEquals(window.judge(937n), "fresh");
  assertEquals(window.judge(936n), "old");
  window.mark(937n);
  assertEquals(window.judge(937n), "replay");
  window.mark(1001n);
  assertEquals(window.judge(937n), "old");
  assertEquals(window.judge(1065n), "fresh");
  window.mark(1065n);
  assertEquals(window.judge(1002n), "fresh");
  assertEquals(window.judge(1001n), "old");
});

Deno.test("replay: the highest counters", () => {
  const window = new Window(32);
  const last = 2n ** 64n - 1n;
  window.mark(last);
  assertEquals(window.judge(last), "replay");
  assertEquals(window.judge(last - 31n), "fresh");
  assertEquals(window.judge(last - 32n), "old");
  assertEquals(window.judge(1n), "old");
});

Deno.test("replay: asking changes nothing, marking something old neither", () => {
  const window = new Window(1024);
  window.mark(5n);
  for (let i = 0; i < 3; i++) assertEquals(window.judge(10n ** 15n), "fresh");
  assertEquals(window.judge(5n), "replay");
  assertEquals(window.judge(4n), "fresh");
  window.mark(5000n);
  window.mark(5n);
  assertEquals(window.judge(5n), "old");
  assertEquals(window.judge(5000n - 1019n), "fresh");
});

Deno.test("replay: jumps over the half of the counter and over the whole ring", () => {
  for (const jump of [1n, 31n, 32n, 33n, 1023n, 1024n, 1025n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 40n + 7n]) {
    for (const start of [0n, 5n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n]) {
      const window = new Window(1024);
      window.mark(start);
      window.mark(start + jump);
      const at = `from ${start} by ${jump}`;
      assertEquals(window.judge(start + jump), "replay", at);
      assertEquals(window.judge(start), jump < 1024n ? "replay" : "old", at);
      for (let back = 1n; back < 1024n; back++) {
        if (back === jump || start + jump < back) continue;
        assertEquals(window.judge(start + jump - back), "fresh", `${at} back ${back}`);
      }
    }
  }
});

Deno.test("replay: the default window holds eight thousand counters", () => {
  const windows = new ReplayWindows();
  windows.mark(nonceOf(1, 10_000n));
  assertEquals(windows.judge(nonceOf(1, 10_000n - 8159n)), "fresh");
  assertEquals(windows.judge(nonceOf(1, 10_000n - 8160n)), "old");
});

Deno.test("replay: a nonce has twelve bytes", () => {
  const windows = new ReplayWindows();
  for (const size of [0, 11, 13]) {
    assertThrows(() => windows.judge(new Uint8Array(size)), RangeError);
    assertThrows(() => windows.mark(new Uint8Array(size)), RangeError);
  }
});

Deno.test("replay: the size is a positive multiple of 32", () => {
  for (const wrong of [0, -32, 31, 33, 1.5, NaN, 2 ** 21]) {
    assertThrows(() => new ReplayWindow(wrong), RangeError);
  }
});

Deno.test("replay: one window for each prefix, agreeing with the naive model", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = new SeededRandom(seed);
    const windows = new ReplayWindows({ maxPrefixes: 5, windowSize: 64 });
    const naive = new Map<number, NaiveWindow>();
    for (let step = 0; step < 3000; step++) {
      const prefix = random.int(7) * 0x2aaaaaaa;
      const nonce = nonceOf(prefix, BigInt(random.int(step / 10 + 2)));
      const counter = viewOf(nonce).getBigUint64(4);
      const known = naive.get(prefix);
      const expected = known?.judge(counter) ?? (naive.size < 5 ? "fresh" : "prefixes-exhausted");
      const before = nonce.slice();
      assertEquals(windows.judge(nonce), expected, `seed ${seed} step ${step}`);
      if (expected === "fresh") {
        windows.mark(nonce);
        const window = known ?? new NaiveWindow(64);
        window.mark(counter);
        naive.set(prefix, window);
      }
      assertEquals(nonce, before);
      assertEquals(windows.prefixes, naive.size);
    }
  }
});

Deno.test("replay: a counter starting again under a new prefix is fresh", () => {
  const windows = new ReplayWindows({ windowSize: 1024 });
  for (let counter = 1n; counter <= 2000n; counter++) windows.mark(nonceOf(1, counter));
  assertEquals(windows.judge(nonceOf(1, 1n)), "old");
  assertEquals(windows.judge(nonceOf(2, 1n)), "fresh");
  windows.mark(nonceOf(2, 1n));
  assertEquals(windows.judge(nonceOf(2, 1n)), "replay");
  assertEquals(windows.judge(nonceOf(1, 2000n)), "replay");
});

Deno.test("replay: prefixes are bounded and never forgotten", () => {
  const windows = new ReplayWindows();
  for (let prefix = 0; prefix < 4096; prefix++) windows.mark(nonceOf(prefix, 1n));
  assertEquals(windows.prefixes, 4096);
  assertEquals(windows.judge(nonceOf(4096, 1n)), "prefixes-exhausted");
  assertThrows(() => windows.mark(nonceOf(4096, 1n)), RangeError);
  assertEquals(windows.judge(nonceOf(0, 1n)), "replay");
  assertEquals(windows.judge(nonceOf(0, 2n)), "fresh");
});
