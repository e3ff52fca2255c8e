/**
 * Plain UDP, without the product: finds out how a NAT maps and filters (RFC 5780 section 4). A program for the
 * namespaces of the lab; see `behaviour.ts`.
 *
 * ```text
 * probe.ts server ADDRESS OTHER-ADDRESS   answers on two ports of each address, says "ready" when it does
 * probe.ts host ADDRESS OTHER-ADDRESS     asks it, and prints what it found as JSON
 * ```
 */

import { pause } from "../../lib/io/pause.ts";

/** How a NAT behaves, in the words of RFC 4787; `none` when no datagram comes through. */
export interface Behaviour {
  readonly mapping: Dependence;
  readonly filtering: Dependence;
}

/** What a mapping or a filter depends on. */
export type Dependence = "endpoint" | "address" | "address-and-port" | "none";

const PORTS = [3478, 3479] as const;
const TRIES = 5;
const TRY_MS = 1_000;
/** How long a datagram may still be under way when one that was sent after it has arrived, milliseconds. */
const LATE_MS = 300;

type Sockets = readonly Deno.DatagramConn[];

/** The sockets are numbered: both ports of the first address, then both of the second. A datagram names the answerer. */
async function serve(addresses: readonly string[]): Promise<void> {
  const sockets = addresses.flatMap((hostname) =>
    PORTS.map((port) => Deno.listenDatagram({ transport: "udp", hostname, port }))
  );
  console.log("ready");
  await Promise.all(sockets.map((socket) => answer(socket, sockets)));
}

async function answer(socket: Deno.DatagramConn, sockets: Sockets): Promise<void> {
  for await (const [data, from] of socket) {
    if (from.transport !== "udp") continue;
    const number = data[0] ?? 0;
    const text = `${number} ${from.hostname}:${from.port}`;
    await sockets[number]?.send(new TextEncoder().encode(text), from);
  }
}

async function examine(addresses: readonly string[]): Promise<Behaviour> {
  const servers = addresses.flatMap((hostname) => PORTS.map((port): Place => ({ hostname, port })));
  const [first, otherPort, otherAddress] = servers;
  if (first === undefined || otherPort === undefined || otherAddress === undefined) {
    throw new TypeError("two addresses are needed");
  }
  // First of all: a NAT may let in all that comes from an address once something was sent there.
  const filtering = await findFiltering(first);
  return {
    filtering,
    mapping: filtering === "none" ? "none" : await findMapping([first, otherPort, otherAddress]),
  };
}

/** Sends to the first socket of the server only, and lets others answer. */
async function findFiltering(to: Place): Promise<Dependence> {
  let found: Dependence = "address-and-port";
  await withSocket(async (socket, answers) => {
    for (let round = 0; round < 3; round++) {
      for (const number of [1, 2]) await send(socket, to, number);
      // What is let in has arrived by the time that this is answered.
      if (await ask(socket, { answers, to, number: 0 }) === undefined) found = "none";
      if (found === "none") return;
    }
    await pause(LATE_MS);
    if (answers.has(1)) found = "address";
    if (answers.has(2)) found = "endpoint";
  });
  return found;
}

/** Compares what three sockets of the server see one socket as. */
async function findMapping(servers: readonly Place[]): Promise<Dependence> {
  const seen: (string | undefined)[] = [];
  await withSocket(async (socket, answers) => {
    for (const [number, to] of servers.entries()) seen.push(await ask(socket, { answers, to, number }));
  });
  if (seen.includes(undefined)) return "none";
  const [first, otherPort, otherAddress] = seen;
  if (first === otherPort) return first === otherAddress ? "endpoint" : "address";
  return "address-and-port";
}

interface Place {
  readonly hostname: string;
  readonly port: number;
}

/** What the socket of this number has answered: the sender as the server saw it. */
type Answers = Map<number, string>;

async function withSocket(
  use: (socket: Deno.DatagramConn, answers: Answers) => Promise<void>,
): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  const answers: Answers = new Map();
  const reading = (async () => {
    for await (const [data] of socket) {
      const [number, endpoint = ""] = new TextDecoder().decode(data).split(" ");
      answers.set(Number(number), endpoint);
    }
  })();
  try {
    await use(socket, answers);
  } finally {
    socket.close();
    await reading;
  }
}

async function ask(
  socket: Deno.DatagramConn,
  { answers, to, number }: { readonly answers: Answers; readonly to: Place; readonly number: number },
): Promise<string | undefined> {
  answers.delete(number);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    await send(socket, to, number);
    const deadline = performance.now() + TRY_MS;
    while (performance.now() < deadline) {
      await pause(10);
      const endpoint = answers.get(number);
      if (endpoint !== undefined) return endpoint;
    }
  }
  return undefined;
}

async function send(socket: Deno.DatagramConn, to: Place, number: number): Promise<void> {
  await socket.send(Uint8Array.of(number), { transport: "udp", ...to });
}

if (import.meta.main) {
  const [role, ...addresses] = Deno.args;
  if (role === "server") await serve(addresses);
  else console.log(JSON.stringify(await examine(addresses)));
}
