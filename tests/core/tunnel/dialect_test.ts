import { Flag, Protocol } from "../../../lib/wire/packet.ts";
import { assert, assertEquals } from "../../assert.ts";
import { ForeignNode } from "../../sim/foreign_node.ts";
import type { SimAgent } from "../../sim/agent.ts";
import { World } from "../../sim/world.ts";

const PORT = 1000;
const SYN = {
  flags: Flag.SYN,
  protocol: Protocol.STREAM,
  sourcePort: 49_152,
  destinationPort: PORT,
  sequence: 0,
  acknowledgement: 0,
  window: 512,
  payload: new Uint8Array(0),
};

function makeWorld(dialect: "current" | "v0.5"): { world: World; agent: SimAgent; foreign: ForeignNode } {
  const world = new World({ seed: 1 });
  const agent = world.addAgent("agent-a", { isPublic: true });
  agent.act((node) => node.ports.listen(PORT));
  const foreign = new ForeignNode(world, { dialect, ip: "192.0.2.200" });
  foreign.register();
  return { world, agent, foreign };
}

for (const dialect of ["current", "v0.5"] as const) {
  Deno.test(`a foreign node that speaks ${dialect} is answered in its dialect`, () => {
    const { world, agent, foreign } = makeWorld(dialect);
    const to = { host: agent.host.ip, port: 4_000 };
    foreign.sendExchange(to);
    assert(world.net.runUntil(() => foreign.hasSession(agent.id), 2_000), "no answer to its PILA");
    foreign.sendPacket(agent.id, to, SYN);
    const answered = () => foreign.packets.some(({ flags }) => flags === (Flag.SYN | Flag.ACK));
    assert(world.net.runUntil(answered, 2_000), "no SYN+ACK that it can read");
    assertEquals(agent.node.tunnels.peer(foreign.id)?.dialect, dialect);
  });
}

Deno.test("nothing is sent in the old dialect to a peer that has not proven to speak it", () => {
  const { world, agent, foreign } = makeWorld("v0.5");
  agent.act((node, now) => node.connect({ network: 0, node: foreign.id }, PORT, now));
  world.net.run(3_000);
  assert(foreign.frames.includes("sealed"));
  assertEquals(foreign.packets.length, 0);
  assert(foreign.undecryptable > 0);
});

Deno.test("a dial to a foreign node in today's dialect gets its SYN across", () => {
  const { world, agent, foreign } = makeWorld("current");
  agent.act((node, now) => node.connect({ network: 0, node: foreign.id }, PORT, now));
  const synced = () => foreign.packets.some(({ flags }) => flags === Flag.SYN);
  assert(world.net.runUntil(synced, 2_000), "no SYN");
});

Deno.test("a foreign node whose counter starts anew under a new prefix is understood", () => {
  const { world, agent, foreign } = makeWorld("current");
  const to = { host: agent.host.ip, port: 4_000 };
  foreign.sendExchange(to);
  world.net.run(1_000);
  const ping = { ...SYN, flags: 0, protocol: Protocol.CONTROL, destinationPort: 0, sourcePort: 7 };
  const pongs = () =>
    foreign.packets.filter(({ protocol, sourcePort, destinationPort }) =>
      protocol === Protocol.CONTROL && sourcePort === 0 && destinationPort === 7
    ).length;
  for (let round = 1; round <= 5; round++) {
    for (let n = 0; n < 3; n++) foreign.sendPacket(agent.id, to, { ...ping, sequence: 10 * round + n });
    assert(world.net.runUntil(() => pongs() === 3 * round, 1_000), `round ${round}: ${pongs()} pongs`);
    // A PILA of ours makes the foreign node start its counter again.
    agent.act((node, now) => node.tunnels.announce(foreign.id, now));
    world.net.run(500);
  }
});
