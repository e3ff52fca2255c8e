import { assert, assertEquals, assertRejects, assertThrows } from "../assert.ts";
import type { Machine, Transmit } from "../../lib/core/machine.ts";
import { type DatagramSocket, UdpDriver, type UdpMode } from "../../lib/io/driver.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { loadLibc } from "../../lib/io/libc.ts";
import { systemRandom } from "../../lib/io/random.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { LentMemory } from "./udp_fixture.ts";

const clock = new SystemClock();

interface Heard {
  readonly from: Endpoint;
  readonly data: Uint8Array;
}

/** Sends what it is told, reports what it hears, and answers with one byte more when `echo` is on. */
class Talker implements Machine<Heard> {
  readonly out: Transmit[] = [];
  readonly heard: Heard[] = [];
  readonly kept: Uint8Array[] = [];
  readonly #memory = new LentMemory();
  due: number | undefined;
  timeouts = 0;
  polled = 0;
  echo = false;

  handleDatagram(from: Endpoint, data: Uint8Array): void {
    if (data[0] === 0xff) throw new Error("defect");
    const own = data.slice();
    this.heard.push({ from, data: own });
    this.kept.push(own);
    if (this.echo) this.out.push({ to: from, data: Uint8Array.of(...data, 1) });
  }

  handleTimeout(now: number): void {
    if (this.due === undefined || now < this.due) return;
    this.timeouts++;
    this.due = undefined;
  }

  pollTransmit(): Transmit | undefined {
    const next = this.out.shift();
    if (next !== undefined) this.polled++;
    return this.#memory.lend(next);
  }

  reuse(): void {
    this.#memory.reuse();
  }

  pollTimeout(): number | undefined {
    return this.due;
  }

  pollEvent(): Heard | undefined {
    return this.heard.shift();
  }
}

/** Registers a test for each kind of socket. */
function test(name: string, check: () => Promise<void>): void {
  for (const udp of ["deno", "ffi"] as const) {
    const ignore = udp === "ffi" && loadLibc() === undefined;
    Deno.test({
      name: `${name} (${udp})`,
      ignore,
      fn: async () => {
        mode = udp;
        await check();
      },
    });
  }
}

/** The kind of socket of the test that runs. */
let mode: UdpMode = "auto";

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("condition not reached within 2 s");
}

test("driver: two machines talk over the loopback, and views of datagrams stay intact", async () => {
  const server = new Talker();
  server.echo = true;
  const client = new Talker();
  const replies: Heard[] = [];
  const a = UdpDriver.bind(server, { udp: mode, host: "127.0.0.1", clock });
  const b = UdpDriver.bind(client, {
    udp: mode,
    host: "127.0.0.1",
    clock,
    onEvent: (event) => replies.push(event),
  });
  for (let i = 0; i < 20; i++) client.out.push({ to: a.endpoint, data: Uint8Array.of(i) });
  b.wake();
  await until(() => replies.length === 20);
  assertEquals(replies[0]?.from, a.endpoint);
  assertEquals(replies.map((reply) => [...reply.data]), Array.from({ length: 20 }, (_, i) => [i, 1]));
  assertEquals(server.kept.map((data) => data[0]), Array.from({ length: 20 }, (_, i) => i));
  assertEquals([a.stats.received, a.stats.receivedBytes, a.stats.sent], [20, 20, 20]);
  a.close();
  b.close();
  await Promise.all([a.finished, b.finished]);
});

test("driver: one timer, set after feeds and by wake", async () => {
  const machine = new Talker();
  const driver = UdpDriver.bind(machine, { udp: mode, host: "127.0.0.1", clock });
  machine.due = clock.now() + 5000;
  driver.wake();
  machine.due = clock.now() + 15;
  driver.wake();
  await until(() => machine.timeouts === 1);
  machine.due = clock.now() - 1;
  driver.wake();
  assertEquals(machine.timeouts, 2);
  machine.due = clock.now() + 60_000;
  driver.wake();
  driver.close();
  await driver.finished;
});

test("driver: sleeps no longer than two seconds, for the sake of suspended computers", async () => {
  const machine = new Talker();
  let time = 0;
  const driver = UdpDriver.bind(machine, { udp: mode, host: "127.0.0.1", clock: { now: () => time } });
  machine.due = 30_000;
  driver.wake();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(machine.timeouts, 0);
  time = 30_001;
  const start = performance.now();
  for (let tries = 0; machine.timeouts === 0 && tries < 300; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert(machine.timeouts === 1 && performance.now() - start < 2600);
  driver.close();
  await driver.finished;
});

test("driver: what the kernel refuses is counted and the rest goes on", async () => {
  const server = new Talker();
  const client = new Talker();
  const a = UdpDriver.bind(server, { udp: mode, host: "127.0.0.1", clock });
  const b = UdpDriver.bind(client, { udp: mode, host: "127.0.0.1", clock });
  client.out.push({ to: a.endpoint, data: new Uint8Array(70_000) }); // EMSGSIZE
  client.out.push({ to: { host: "2001:db8::1", port: 9 }, data: new Uint8Array(1) }); // EAFNOSUPPORT
  client.out.push({ to: { host: "127.0.0.1", port: 0 }, data: new Uint8Array(1) }); // EINVAL
  client.out.push({ to: a.endpoint, data: Uint8Array.of(7) });
  b.wake();
  await until(() => server.kept.length === 1);
  assertEquals([b.stats.sendErrors, b.stats.sent], [3, 1]);
  a.close();
  b.close();
  await Promise.all([a.finished, b.finished]);
});

test("driver: a closed port at the other end does no harm", async () => {
  const gone = UdpDriver.bind(new Talker(), { udp: mode, host: "127.0.0.1", clock });
  gone.close();
  await gone.finished;
  const server = new Talker();
  const client = new Talker();
  const a = UdpDriver.bind(server, { udp: mode, host: "127.0.0.1", clock });
  const b = UdpDriver.bind(client, { udp: mode, host: "127.0.0.1", clock });
  for (let i = 0; i < 3; i++) {
    client.out.push({ to: gone.endpoint, data: Uint8Array.of(1) }, {
      to: a.endpoint,
      data: Uint8Array.of(2),
    });
    b.wake();
    await until(() => server.kept.length === i + 1);
  }
  a.close();
  b.close();
  await Promise.all([a.finished, b.finished]);
});

test("driver: a port in use and a foreign address are errors a user understands", async () => {
  const first = UdpDriver.bind(new Talker(), { udp: mode, host: "127.0.0.1", clock });
  const taken = assertThrows(
    () => UdpDriver.bind(new Talker(), { udp: mode, host: "127.0.0.1", port: first.endpoint.port, clock }),
    PilotError,
    "already in use",
  );
  assertEquals(taken.code, "already_exists");
  assert(taken.hint?.includes("another port"));
  const foreign = assertThrows(
    () => UdpDriver.bind(new Talker(), { udp: mode, host: "203.0.113.7", clock }),
    PilotError,
  );
  assertEquals(foreign.code, "invalid_argument");
  first.close();
  await first.finished;
});

/** A socket whose sends stay with the kernel until released, and whose receives fail on demand. */
class StuckSocket implements DatagramSocket {
  readonly addr: Deno.NetAddr = { transport: "udp", hostname: "::", port: 1 };
  readonly sends: { to: Deno.Addr; release: () => void }[] = [];
  failures = 3;
  #reject: ((error: Error) => void) | undefined;

  receive(): Promise<[Uint8Array, Deno.Addr]> {
    if (this.failures-- > 0) return Promise.reject(new Error("connection refused"));
    return new Promise((_, reject) => this.#reject = reject);
  }

  send(data: Uint8Array, to: Deno.Addr): Promise<number> {
    return new Promise((resolve) => this.sends.push({ to, release: () => resolve(data.length) }));
  }

  close(): void {
    this.#reject?.(new Error("closed"));
  }
}

test("driver: a kernel that takes nothing leaves the packets in the machine", async () => {
  const socket = new StuckSocket();
  const machine = new Talker();
  for (let i = 0; i < 1000; i++) {
    machine.out.push({ to: { host: "192.0.2.1", port: 5 }, data: new Uint8Array(1) });
  }
  const driver = UdpDriver.bind(machine, { clock, socket });
  await until(() => driver.stats.receiveErrors === 3);
  assertEquals([machine.polled, socket.sends.length], [1, 1]);
  socket.sends.shift()?.release();
  await until(() => socket.sends.length === 1);
  assertEquals(machine.polled, 2);
  assertEquals(socket.sends[0]?.to, { transport: "udp", hostname: "::ffff:192.0.2.1", port: 5 });
  driver.close();
  for (const send of socket.sends) send.release();
  await driver.finished;
  assertEquals(machine.polled, 2);
});

test("driver: a dual-stack socket shows IPv4 peers as IPv4", async () => {
  const server = new Talker();
  server.echo = true;
  const client = new Talker();
  const a = UdpDriver.bind(server, { udp: mode, host: "::", clock });
  const b = UdpDriver.bind(client, { udp: mode, host: "127.0.0.1", clock });
  client.out.push({ to: { host: "127.0.0.1", port: a.endpoint.port }, data: Uint8Array.of(3) });
  b.wake();
  await until(() => b.stats.received === 1 && a.stats.sent === 1);
  assertEquals(client.kept[0], Uint8Array.of(3, 1));
  a.close();
  b.close();
  await Promise.all([a.finished, b.finished]);
});

test("driver: a machine that throws ends its driver, loudly", async () => {
  const broken = new Talker();
  const client = new Talker();
  const a = UdpDriver.bind(broken, { udp: mode, host: "127.0.0.1", clock });
  const b = UdpDriver.bind(client, { udp: mode, host: "127.0.0.1", clock });
  client.out.push({ to: a.endpoint, data: Uint8Array.of(0xff) });
  b.wake();
  await assertRejects(() => a.finished, Error, "defect");
  a.close();
  b.close();
  await b.finished;
});

test("driver: onEvent may use the machine without wake, and close from within", async () => {
  const server = new Talker();
  const client = new Talker();
  const a: UdpDriver<Heard> = UdpDriver.bind(server, {
    udp: mode,
    host: "127.0.0.1",
    clock,
    onEvent: (event) => {
      server.out.push({ to: event.from, data: Uint8Array.of(9) });
      a.wake();
    },
  });
  const b: UdpDriver<Heard> = UdpDriver.bind(client, {
    udp: mode,
    host: "127.0.0.1",
    clock,
    onEvent: () => b.close(),
  });
  client.out.push({ to: a.endpoint, data: Uint8Array.of(1) });
  b.wake();
  await b.finished;
  assertEquals(client.kept[0], Uint8Array.of(9));
  a.close();
  await a.finished;
});

Deno.test("random: fills any length", () => {
  assertEquals(systemRandom(new Uint8Array(0)).length, 0);
  const large = systemRandom(new Uint8Array(200_000));
  const zeros = large.filter((byte) => byte === 0).length;
  assert(zeros > 400 && zeros < 1300, `${zeros} zero bytes of 200000`);
  assert(large.subarray(196_608).some((byte) => byte !== 0));
});
