import { assert, assertEquals } from "../assert.ts";
import type { Machine, Transmit } from "../../lib/core/machine.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { UdpDriver } from "../../lib/io/driver.ts";
import { loadLibc } from "../../lib/io/libc.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { viewOf } from "../../lib/wire/uint.ts";
import { SeededRandom } from "../sim/random.ts";
import { LentMemory, numbered, openWith } from "./udp_fixture.ts";

const libc = loadLibc();
const ignore = libc === undefined;

/** Sends what it has, hears what comes. */
class Talker implements Machine<never> {
  readonly out: Transmit[] = [];
  readonly heard: Uint8Array[] = [];
  readonly #memory = new LentMemory();
  handleDatagram(_from: Endpoint, data: Uint8Array): void {
    this.heard.push(data.slice());
  }
  handleTimeout(): void {}
  pollTransmit(): Transmit | undefined {
    return this.#memory.lend(this.out.shift());
  }
  reuse(): void {
    this.#memory.reuse();
  }
  pollTimeout(): undefined {}
  pollEvent(): undefined {}
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("condition not reached within 5 s");
}

Deno.test({
  name: "udp driver: when batches find no room, datagrams go by the runtime, in order, none lost or doubled",
  ignore,
  fn: async () => {
    const random = new SeededRandom(5);
    const socket = openWith({
      sendmmsg: (fd, headers, count, flags) => {
        const room = random.int(4);
        return room === 0 ? -1 : libc?.sendmmsg(fd, headers, Math.min(count, room), flags) ?? -1;
      },
    });
    const clock = new SystemClock();
    const [client, server] = [new Talker(), new Talker()];
    const a = UdpDriver.bind(client, { clock, socket });
    const b = UdpDriver.bind(server, { clock, host: "127.0.0.1", udp: "ffi" });
    const transmits = numbered(b.endpoint, Array.from({ length: 500 }, () => 1 + random.int(30)));
    client.out.push(...transmits);
    a.wake();
    await until(() => server.heard.length === 500);
    server.heard.forEach((data, i) => assertEquals(data, transmits[i]?.data));
    assertEquals([a.stats.sent, a.stats.sendErrors], [500, 0]);
    assertEquals(a.stats.sentBytes, b.stats.receivedBytes);
    a.close();
    b.close();
    await Promise.all([a.finished, b.finished]);
  },
});

/** Keeps up to a number of datagrams on the way, each numbered and filled with a pattern; the other end answers. */
class Flow implements Machine<never> {
  readonly #to: Endpoint | undefined;
  readonly #total: number;
  readonly #replies: Transmit[] = [];
  readonly #memory = new LentMemory();
  sent = 0;
  answered = 0;
  damaged = 0;
  disordered = 0;
  #expected = 0;
  constructor(total: number, to?: Endpoint) {
    this.#total = total;
    this.#to = to;
  }
  handleDatagram(from: Endpoint, data: Uint8Array): void {
    const number = viewOf(data).getUint32(0);
    if (number < this.#expected) this.disordered++;
    this.#expected = number + 1;
    const size = this.#to === undefined ? sizeOf(number) : 4;
    if (data.length !== size || data.subarray(4).some((byte) => byte !== (number & 0xff))) this.damaged++;
    this.answered++;
    if (this.#to === undefined) this.#replies.push({ to: from, data: data.slice(0, 4) });
  }
  handleTimeout(): void {}
  pollTransmit(): Transmit | undefined {
    return this.#memory.lend(this.#next());
  }
  reuse(): void {
    this.#memory.reuse();
  }
  #next(): Transmit | undefined {
    const reply = this.#replies.shift();
    if (reply !== undefined || this.#to === undefined) return reply;
    if (this.sent >= this.#total || this.sent - this.answered >= 60) return undefined;
    const data = new Uint8Array(sizeOf(this.sent)).fill(this.sent & 0xff);
    viewOf(data).setUint32(0, this.sent++);
    return { to: this.#to, data };
  }
  pollTimeout(): undefined {}
  pollEvent(): undefined {}
}

/** Mostly full datagrams, now and then a short one. */
function sizeOf(number: number): number {
  return number % 37 === 0 ? 20 + number % 300 : 1200;
}

for (const udp of ["deno", "ffi"] as const) {
  Deno.test({
    name: `udp driver: thirty thousand datagrams there and back, none damaged or out of order (${udp})`,
    ignore: ignore && udp === "ffi",
    fn: async () => {
      const clock = new SystemClock();
      const server = new Flow(0);
      const b = UdpDriver.bind(server, { clock, host: "127.0.0.1", udp });
      const client = new Flow(30_000, b.endpoint);
      const a = UdpDriver.bind(client, { clock, host: "127.0.0.1", udp });
      assertEquals(a.udp, udp);
      await until(() => client.answered === 30_000);
      for (const flow of [client, server]) {
        assertEquals([flow.answered, flow.damaged, flow.disordered], [30_000, 0, 0]);
      }
      a.close();
      b.close();
      await Promise.all([a.finished, b.finished]);
    },
  });
}

Deno.test({
  name: "udp: datagrams longer than the path are refused when fragments are not wanted",
  ignore,
  fn: async () => {
    const clock = new SystemClock();
    const driver = UdpDriver.bind(new Talker(), { clock, host: "127.0.0.1", udp: "ffi", dontFragment: true });
    const plain = UdpDriver.bind(new Talker(), { clock, host: "127.0.0.1", udp: "deno", dontFragment: true });
    const dual = UdpDriver.bind(new Talker(), { clock, host: "::", udp: "ffi", dontFragment: true });
    assertEquals([driver.dontFragment, plain.dontFragment, dual.dontFragment], [true, false, true]);
    for (const each of [driver, plain, dual]) {
      each.close();
      await each.finished;
    }
  },
});

Deno.test({
  name: "udp: no descriptor stays open",
  ignore,
  fn: async () => {
    const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const clock = new SystemClock();
    const before = count();
    for (let i = 0; i < 50; i++) {
      const driver = UdpDriver.bind(new Talker(), { clock, host: "127.0.0.1", udp: "ffi" });
      driver.close();
      await driver.finished;
    }
    // Other tests of this process open and close some, too.
    assert(count() < before + 25, `${before} before, ${count()} after 50 sockets`);
  },
});
