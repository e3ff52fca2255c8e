import { assert, assertEquals } from "../assert.ts";
import { BeaconSockets, type ListenAddress } from "../../lib/beacon/sockets.ts";
import { fromHex } from "../../lib/wire/bytes.ts";
import { decodeExamineReply, encodeExamine } from "../../lib/wire/examine.ts";
import { toHex } from "../../lib/wire/bytes.ts";
import { A, B, Bench, discover, EVE, relay } from "./bench.ts";

const token = fromHex("1112131415161718");

/** Two IPv4 addresses and one IPv6 address, each with two ports: the sockets 0 to 5. */
const addresses: ListenAddress[] = ["203.0.113.1", "203.0.113.2", "2001:db8::1"].map((host) => ({
  main: { host, port: 9001 },
  alternate: { host, port: 9002 },
}));

function question(otherAddress = false, otherPort = false, port = 0): string {
  return toHex(encodeExamine({ from: { otherAddress, otherPort }, token, port }));
}

/** Says where answers went, from which socket, and what they say. */
function ask(bench: Bench, hex: string, via = 0, from = A) {
  return bench.say(from, hex, via).map((line) => {
    const [to, data = "", , socket = "0"] = line.split(" ");
    const reply = decodeExamineReply(fromHex(data));
    assert(typeof reply === "object");
    return { to, socket: Number(socket), reply };
  });
}

Deno.test("examine: an answer comes from the socket that was asked for, and names the others", () => {
  const bench = new Bench({ addresses });
  const sockets = [[false, false], [false, true], [true, false], [true, true]] as const;
  for (const [asked, expected] of [[0, [0, 1, 2, 3]], [3, [3, 2, 1, 0]]] as const) {
    for (const [i, [otherAddress, otherPort]] of sockets.entries()) {
      const [answer] = ask(bench, question(otherAddress, otherPort), asked);
      assertEquals(answer?.socket, expected[i], `asked ${asked}, ${otherAddress} ${otherPort}`);
      assertEquals(answer?.to, "203.0.113.7:40000");
      assertEquals(answer?.reply.seen, A);
      assertEquals(answer?.reply.from, { otherAddress, otherPort });
    }
  }
  assertEquals(ask(bench, question())[0]?.reply, {
    from: { otherAddress: false, otherPort: false },
    token,
    seen: A,
    otherPort: 9002,
    other: { host: "203.0.113.2", port: 9001, otherPort: 9002 },
  });
});

Deno.test("examine: a beacon with one address, or one port, answers from what it has", () => {
  const one = new Bench({ addresses: addresses.slice(0, 1) });
  assertEquals(ask(one, question())[0]?.reply.other, undefined);
  assertEquals(ask(one, question(true)), []);
  assertEquals(ask(one, question(false, true))[0]?.socket, 1);
  const bare = new Bench();
  assertEquals(ask(bare, question())[0]?.reply.otherPort, 0);
  assertEquals(ask(bare, question(false, true)), []);
});

Deno.test("examine: other addresses are of the same family, and can be named", () => {
  const six = new BeaconSockets(addresses);
  assertEquals(six.describe(4), { otherPort: 9002, other: undefined });
  const wild = new BeaconSockets([
    { main: { host: "0.0.0.0", port: 9001 }, alternate: { host: "0.0.0.0", port: 9002 } },
    { main: { host: "203.0.113.2", port: 9101 } },
  ]);
  assertEquals(wild.describe(0), { otherPort: 9002, other: undefined });
  assertEquals(wild.describe(2), { otherPort: 0, other: undefined });
  assertEquals([wild.towards("192.0.2.1"), six.towards("192.0.2.1"), six.towards("2001:db8::9")], [0, 0, 4]);
});

Deno.test("examine: the answer may go to another port of the asking address", () => {
  const bench = new Bench({ addresses });
  assertEquals(ask(bench, question(false, false, 50_123)).map(({ to }) => to), ["203.0.113.7:50123"]);
});

Deno.test("examine: questions are limited per source, others are not touched, nothing is kept", () => {
  const bench = new Bench({ addresses });
  let answers = 0;
  for (let i = 0; i < 5_000; i++) answers += ask(bench, question(), 0, { ...EVE, port: 1 + i }).length;
  assertEquals([answers, bench.beacon.stats.nodes], [400, 0]);
  assertEquals(ask(bench, question(), 0, B).length, 1);
});

Deno.test("examine: short questions are not answered", () => {
  const bench = new Bench({ addresses });
  assertEquals(bench.say(A, question().slice(0, -2)), []);
  assertEquals(bench.say(A, `0b04${question().slice(4)}`), []);
  assertEquals(bench.beacon.stats.malformed, 2);
});

Deno.test("sockets: a node is served from the socket it spoke to, a second port is for examinations only", () => {
  const bench = new Bench({ addresses });
  assertEquals(bench.say(A, discover(1), 1), []);
  assertEquals(bench.say(A, discover(1), 2), ["203.0.113.7:40000 0204cb0071079c40 via 2"]);
  const six = { host: "2001:db8::7", port: 40_000 };
  for (let round = 0; round < 2; round++) {
    assert(bench.say(six, discover(2), 4)[0]?.endsWith("via 4"));
    bench.wait(1_000);
  }
  assert(bench.say(A, relay(1, 2), 2)[0]?.endsWith("via 4"));
  assert(bench.say(six, relay(2, 1), 4)[0]?.endsWith("via 2"));
  assertEquals(bench.say(A, "030000000100000002", 2).map((line) => line.split(" ").slice(2).join(" ")), [
    "via 2",
    "via 4",
  ]);
  // The NAT lets in what it was opened for last.
  bench.say(A, discover(1), 0);
  assert(bench.say(six, relay(2, 1), 4)[0]?.includes("via") === false);
});
