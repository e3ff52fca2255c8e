import { assert, assertEquals, assertThrows } from "../assert.ts";
import { type BatchSocket, isBatchSocket, openSocket, toEndpoint } from "../../lib/io/driver_socket.ts";
import { loadLibc } from "../../lib/io/libc.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { SeededRandom } from "../sim/random.ts";
import { numbered, openWith } from "./udp_fixture.ts";

const libc = loadLibc();
const ignore = libc === undefined;

function open(host = "127.0.0.1"): BatchSocket {
  const socket = openSocket({ host, port: 0, udp: "ffi" });
  if (!isBatchSocket(socket)) throw new Error("no batches here");
  return socket;
}

/** Takes what has arrived at a socket, as text of the port it came from and the bytes. */
async function collect(socket: BatchSocket, count: number): Promise<{ from: Endpoint; data: Uint8Array }[]> {
  const taken: { from: Endpoint; data: Uint8Array }[] = [];
  for (let tries = 0; taken.length < count && tries < 400; tries++) {
    const got = socket.receiveBatch((from, data) => taken.push({ from, data: data.slice() }));
    if (got === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return taken;
}

Deno.test({
  name: "udp: the kernel goes on joining while joined datagrams wait, which could not be split afterwards",
  ignore,
  fn: async () => {
    const [a, b] = [open(), open()];
    const sizes = Array.from({ length: 16 }, () => 70);
    b.startJoining();
    assertEquals(a.sendBatch(numbered(toEndpoint(b.addr), sizes), 0), 16);
    // What was sent on loopback waits at the other end by now, but for a moment's work of the kernel.
    for (let tries = 0; b.stopJoining() && tries < 1_000; tries++) {
      b.startJoining();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assertEquals((await collect(b, 16)).map(({ data }) => data.length), sizes);
    assertEquals(b.stopJoining(), true);
    const [{ length }] = await Promise.all([
      b.receive().then(([data]) => data),
      a.send(new Uint8Array(9), b.addr),
    ]);
    assertEquals(length, 9);
    a.close();
    b.close();
  },
});

Deno.test({
  name: "udp: batches arrive in order and whole, whatever their sizes, joined by the kernel or not",
  ignore,
  fn: async () => {
    for (const joined of [false, true]) {
      for (let seed = 1; seed <= 12; seed++) {
        const random = new SeededRandom(seed);
        const [a, b] = [open(), open()];
        if (joined) b.startJoining();
        const to = toEndpoint(b.addr);
        const sizes: number[] = [];
        while (sizes.length < 200) {
          const size = random.chance(0.1) ? random.int(3) : 1 + random.int(2000);
          for (let run = random.int(90); run >= 0; run--) sizes.push(size);
          if (random.chance(0.05)) sizes.push(65_507);
        }
        const transmits = numbered(to, sizes);
        const received: { from: Endpoint; data: Uint8Array }[] = [];
        for (let done = 0; done < transmits.length;) {
          const count = a.sendBatch(transmits.slice(0, done + 50), done);
          assert(count > 0, `seed ${seed}`);
          done += count;
          received.push(...await collect(b, done - received.length));
        }
        assertEquals(received.map(({ data }) => data.length), sizes, `seed ${seed} joined ${joined}`);
        received.forEach(({ from, data }, i) => {
          assertEquals(from, toEndpoint(a.addr));
          assertEquals(data, transmits[i]?.data, `seed ${seed} joined ${joined} datagram ${i}`);
        });
        a.close();
        b.close();
      }
    }
  },
});

Deno.test({
  name: "udp: a batch to several peers, IPv4 among them on a dual-stack socket",
  ignore,
  fn: async () => {
    const [a, b, c] = [open("::"), open(), open("::1")];
    const peers = [toEndpoint(b.addr), toEndpoint(c.addr)];
    const order = [0, 0, 1, 0, 1, 1, 1, 0];
    const transmits = order.map((peer, i) => ({
      to: peers[peer] ?? { host: "127.0.0.1", port: 9 },
      data: new Uint8Array(100).fill(i),
    }));
    assertEquals(a.sendBatch(transmits, 0), 8);
    const atB = await collect(b, 4);
    const atC = await collect(c, 4);
    assertEquals(atB.map(({ data }) => data[99]), [0, 1, 3, 7]);
    assertEquals(atC.map(({ data }) => data[99]), [2, 4, 5, 6]);
    const port = toEndpoint(a.addr).port;
    assertEquals(atB[0]?.from, { host: "127.0.0.1", port });
    assertEquals(atC[0]?.from, { host: "::1", port });
    // And back: what came over IPv4 is seen as IPv4.
    assertEquals(b.sendBatch([{ to: { host: "127.0.0.1", port }, data: Uint8Array.of(1) }], 0), 1);
    assertEquals((await collect(a, 1))[0]?.from, toEndpoint(b.addr));
    for (const socket of [a, b, c]) socket.close();
  },
});

Deno.test({
  name: "udp: a batch stops before what the kernel or the address does not allow",
  ignore,
  fn: () => {
    const [a, b] = [open(), open()];
    const to = toEndpoint(b.addr);
    const small = { to, data: Uint8Array.of(1) };
    for (
      const bad of [
        { to, data: new Uint8Array(65_508) },
        { to, data: new Uint8Array(300_000) },
        { to: { host: "::1", port: 9 }, data: Uint8Array.of(1) },
        { to: { host: "example.org", port: 9 }, data: Uint8Array.of(1) },
        { to: { host: "127.0.0.1", port: 0 }, data: Uint8Array.of(1) },
      ]
    ) {
      assertEquals(a.sendBatch([small, small, bad, small], 0), 2, `${bad.to.host} ${bad.data.length}`);
      assertEquals(a.sendBatch([bad, small], 0), 0);
      assertEquals(a.sendBatch([bad, small], 1), 1);
    }
    a.close();
    b.close();
    assertEquals(a.sendBatch([small], 0), 0);
    assertEquals(b.receiveBatch(() => {}), 0);
    a.close();
  },
});

Deno.test({
  name: "udp: where the network device cannot split messages, they go one by one, and soon at once",
  ignore,
  fn: async () => {
    let refused = 0;
    let calls = 0;
    const a = openWith({
      sendmmsg: (fd, headers, count, flags) => {
        calls++;
        const words = headers instanceof Uint32Array ? headers : new Uint32Array(0);
        for (let i = 0; i < count; i++) {
          if (words[i * 16 + 10] === 0) continue;
          refused++;
          return i > 0 && libc !== undefined ? libc.sendmmsg(fd, headers, i, flags) : -1;
        }
        return libc?.sendmmsg(fd, headers, count, flags) ?? -1;
      },
    });
    const b = open();
    const transmits = numbered(toEndpoint(b.addr), new Array(20).fill(500));
    for (let round = 0; round < 20; round++) assertEquals(a.sendBatch(transmits, 0), 20);
    assertEquals(refused, 8);
    assertEquals(calls, 8 * 2 + 12);
    const received = await collect(b, 400);
    assertEquals(received.length, 400);
    received.forEach(({ data }, i) => assertEquals(data, transmits[i % 20]?.data));
    a.close();
    b.close();
  },
});

Deno.test("udp: a mode that does not exist", () => {
  const name = "PILOT_UDP";
  const before = Deno.env.get(name);
  Deno.env.set(name, "carrier-pigeon");
  try {
    const error = assertThrows(
      () => openSocket({ host: "127.0.0.1", port: 0 }),
      PilotError,
      "carrier-pigeon",
    );
    assertEquals(error.code, "invalid_argument");
  } finally {
    if (before === undefined) Deno.env.delete(name);
    else Deno.env.set(name, before);
  }
});

Deno.test("udp: without leave to call native code it falls back, and insisting says why", async () => {
  const module = new URL("../../lib/io/driver_socket.ts", import.meta.url);
  const code = `
    import { openSocket } from ${JSON.stringify(module)};
    const socket = openSocket({ host: "127.0.0.1", port: 0 });
    console.log("sendBatch" in socket);
    socket.close();
    try { openSocket({ host: "127.0.0.1", port: 0, udp: "ffi" }); } catch (error) { console.log(error.code); }
  `;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net=127.0.0.1", "--config", config, "--ext=ts", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  await new Response(code).body?.pipeTo(child.stdin);
  const { stdout } = await child.output();
  assertEquals(new TextDecoder().decode(stdout), "false\nunavailable\n");
});
