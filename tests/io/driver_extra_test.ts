import { assert, assertEquals } from "../assert.ts";
import type { Machine, Transmit } from "../../lib/core/machine.ts";
import { SystemClock } from "../../lib/io/clock.ts";
import { UdpDriver } from "../../lib/io/driver.ts";
import { pause } from "../../lib/io/pause.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { LentMemory } from "./udp_fixture.ts";

const clock = new SystemClock();

/** Sends what it is told and keeps what it hears, with the socket it came to. */
class Many implements Machine<never> {
  readonly out: Transmit[] = [];
  readonly done: number[] = [];
  readonly #memory = new LentMemory();
  readonly opened = new Map<number, number>();
  readonly heard: { from: Endpoint; text: string; via: number }[] = [];

  handleDatagram(from: Endpoint, data: Uint8Array, _now: number, via = 0): void {
    this.heard.push({ from, text: new TextDecoder().decode(data), via });
  }

  handleOpened(via: number, port: number): void {
    this.opened.set(via, port);
  }

  handleTimeout(): void {}

  pollTransmit(): Transmit | undefined {
    return this.#memory.lend(this.out.shift());
  }

  reuse(): void {
    this.#memory.reuse();
  }

  pollTimeout(): undefined {
    return undefined;
  }

  pollEvent(): undefined {
    return undefined;
  }

  pollClose(): number | undefined {
    return this.done.shift();
  }
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await pause(2, new AbortController().signal);
}

function bind(
  machine: Many,
  options: { places?: Endpoint[]; divert?: (transmit: Transmit) => boolean } = {},
) {
  return UdpDriver.bind(machine, { host: "127.0.0.1", clock, ...options });
}

Deno.test("a socket opened by sending from it is another one, and what comes to it is told by its number", async () => {
  const [a, b] = [new Many(), new Many()];
  const [one, other] = [bind(a), bind(b)];
  for (const via of [0, 7, 9]) a.out.push({ to: other.endpoint, data: bytes(`from ${via}`), via });
  one.wake();
  await until(() => b.heard.length === 3);
  const ports = new Map(b.heard.map(({ from, text }) => [text, from.port]));
  assertEquals(ports.get("from 0"), one.endpoint.port);
  assertEquals(new Set(ports.values()).size, 3);
  assertEquals(a.opened, new Map([[7, ports.get("from 7") ?? 0], [9, ports.get("from 9") ?? 0]]));
  b.out.push({ to: { host: "127.0.0.1", port: ports.get("from 9") ?? 0 }, data: bytes("answer") });
  other.wake();
  await until(() => a.heard.length === 1);
  assertEquals(a.heard.map(({ text, via }) => ({ text, via })), [{ text: "answer", via: 9 }]);
  one.close();
  other.close();
  await Promise.all([one.finished, other.finished]);
});

Deno.test("an extra socket that the machine has done with is closed, and its number opens a new one", async () => {
  const [a, b] = [new Many(), new Many()];
  const [one, other] = [bind(a), bind(b)];
  a.out.push({ to: other.endpoint, data: bytes("first"), via: 1 });
  one.wake();
  await until(() => b.heard.length === 1);
  const [first] = b.heard;
  a.done.push(1);
  one.wake();
  b.out.push({ to: first?.from ?? other.endpoint, data: bytes("nobody there") });
  other.wake();
  a.out.push({ to: other.endpoint, data: bytes("second"), via: 1 });
  one.wake();
  await until(() => b.heard.length === 2);
  assert(b.heard[1]?.from.port !== first?.from.port);
  assertEquals(a.heard, []);
  one.close();
  other.close();
  await Promise.all([one.finished, other.finished]);
});

Deno.test("places are bound before anything is sent", async () => {
  const [a, b] = [new Many(), new Many()];
  const probe = bind(new Many());
  const place = { host: "127.0.0.1", port: probe.endpoint.port };
  probe.close();
  await probe.finished;
  const [one, other] = [bind(a, { places: [place] }), bind(b)];
  b.out.push({ to: place, data: bytes("hello") });
  other.wake();
  await until(() => a.heard.length === 1);
  assertEquals(a.heard[0]?.via, 1);
  a.out.push({ to: other.endpoint, data: bytes("back"), via: 1 });
  one.wake();
  await until(() => b.heard.length === 1);
  assertEquals(b.heard[0]?.from, place);
  one.close();
  other.close();
  await Promise.all([one.finished, other.finished]);
});

Deno.test("what is diverted does not reach the socket, and what is injected reaches the machine", async () => {
  const diverted: string[] = [];
  const a = new Many();
  const driver = bind(a, {
    divert: (transmit) => {
      diverted.push(new TextDecoder().decode(transmit.data));
      return true;
    },
  });
  a.out.push({ to: driver.endpoint, data: bytes("elsewhere") });
  driver.wake();
  driver.inject({ host: "192.0.2.1", port: 9 }, bytes("from elsewhere"));
  assertEquals(diverted, ["elsewhere"]);
  assertEquals(a.heard, [{ from: { host: "192.0.2.1", port: 9 }, text: "from elsewhere", via: 0 }]);
  driver.close();
  await driver.finished;
});

Deno.test("many datagrams from one extra socket arrive in order and all of them", async () => {
  const [a, b] = [new Many(), new Many()];
  const [one, other] = [bind(a), bind(b)];
  for (let i = 0; i < 500; i++) a.out.push({ to: other.endpoint, data: bytes(String(i)), via: 3 });
  one.wake();
  await until(() => b.heard.length === 500);
  assertEquals(b.heard.map(({ text }) => Number(text)), Array.from({ length: 500 }, (_, i) => i));
  one.close();
  other.close();
  await Promise.all([one.finished, other.finished]);
});
