/**
 * The NAT matrix: what must become of every pair of NAT classes, in both directions of dialling.
 *
 * Classes: P public, F full cone, A address-restricted, PR port-restricted, Sa symmetric by address and filtering by
 * address, Sx symmetric by address and port and filtering by address, Sq symmetric with sequential ports, Sr symmetric
 * with random ports, B without UDP but with a connection to the beacon.
 */

import type { NatBehaviour } from "../../lib/core/nat/behaviour.ts";
import { assert, assertEquals } from "../assert.ts";
import { Duo, type DuoAgent, type Side } from "./duo.ts";
import type { NatOptions } from "./net.ts";

type Behaviour = Required<Pick<NatOptions, "mapping" | "filtering" | "ports">>;

const EIM = "endpoint-independent";
const ADM = "address-dependent";
const APDM = "address-and-port-dependent";

/** What stands between an agent and the internet, and what the agent knows of it. */
function behind(nat: Behaviour): Side {
  const assigned = nat.ports === "preserve" ? "preserving" : nat.ports === "block" ? "random" : nat.ports;
  const knows: NatBehaviour = {
    isTranslated: true,
    mapping: nat.mapping,
    filtering: nat.filtering,
    ports: assigned,
    ...(assigned === "sequential" ? { portStep: 1 } : {}),
  };
  return { nat, knows };
}

/** The classes of the matrix. */
export const CLASSES = {
  P: { knows: { isTranslated: false, filtering: EIM } },
  F: behind({ mapping: EIM, filtering: EIM, ports: "preserve" }),
  A: behind({ mapping: EIM, filtering: ADM, ports: "preserve" }),
  PR: behind({ mapping: EIM, filtering: APDM, ports: "preserve" }),
  Sa: behind({ mapping: ADM, filtering: ADM, ports: "random" }),
  Sx: behind({ mapping: APDM, filtering: ADM, ports: "random" }),
  Sq: behind({ mapping: APDM, filtering: APDM, ports: "sequential" }),
  Sr: behind({ mapping: APDM, filtering: APDM, ports: "random" }),
  B: { firewall: "blocked", carrier: true },
} as const satisfies Record<string, Side>;

/** The name of a class. */
export type ClassName = keyof typeof CLASSES;

/**
 * What must become of a pair. `direct`: within 2 s. `found`: direct within 20 s by searching ports in at least 99 of
 * 100, the relay until then. `relay`: the relay is the right answer.
 */
export type Outcome = "direct" | "found" | "relay";

const D = "direct";
const S = "found";
const R = "relay";

/** Outcomes in the order of `ORDER`; the same in both directions. */
const ORDER: readonly ClassName[] = ["P", "F", "A", "PR", "Sa", "Sx", "Sq", "Sr", "B"];
const TABLE: readonly (readonly Outcome[])[] = [
  [D, D, D, D, D, D, D, D, R],
  [D, D, D, D, D, D, D, D, R],
  [D, D, D, D, D, D, D, D, R],
  [D, D, D, D, S, S, S, S, R],
  [D, D, D, S, S, S, S, S, R],
  // Whoever answers through Sx does so from a new port, which only filters by address let in.
  [D, D, D, S, S, S, R, R, R],
  [D, D, D, S, S, R, S, R, R],
  [D, D, D, S, S, R, R, R, R],
  [R, R, R, R, R, R, R, R, R],
];

/** The outcome for a pair. */
export function outcomeOf(dialler: ClassName, dialled: ClassName): Outcome {
  return TABLE[ORDER.indexOf(dialler)]?.[ORDER.indexOf(dialled)] ?? R;
}

/** The first byte is there within this time, directly or not, milliseconds. */
const FIRST_BYTE_MS = 500;
const DIRECT_MS = 2_000;
const FOUND_MS = 20_000;
/** How long a pair that cannot meet is watched, milliseconds, and what both may send in that time. */
const WATCH_MS = 60_000;
const WATCH_PACKETS = 900;
/** What both may send beside the search itself until they have met. */
const FOUND_PACKETS = 2 * 2_048 + 600;

const SEEDS = Number(Deno.env.get("MATRIX_SEEDS") ?? "100");

/** Runs one ordered pair over all seeds. */
export function runPair(dialler: ClassName, dialled: ClassName): void {
  const outcome = outcomeOf(dialler, dialled);
  let missed = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const where = `${dialler} dials ${dialled}, seed ${seed}`;
    const duo = new Duo({ seed, a: CLASSES[dialler], b: CLASSES[dialled] });
    const stream = duo.a.dial();
    assert(duo.net.runUntil(() => isConnected(duo.a, stream), FIRST_BYTE_MS), `${where}: not connected`);
    duo.a.write(stream, new Uint8Array(100));
    assert(duo.net.runUntil(() => duo.b.received > 0, FIRST_BYTE_MS), `${where}: nothing arrives`);
    if (outcome === "relay") {
      keepTalking(duo, stream, WATCH_MS);
      assertEquals([duo.a.path, duo.b.path], ["relay", "relay"], where);
      assert(packets(duo) < WATCH_PACKETS, `${where}: ${packets(duo)} packets`);
    } else if (!duo.net.runUntil(() => duo.isDirect, outcome === "direct" ? DIRECT_MS : FOUND_MS)) {
      assert(outcome === "found", `${where}: not direct`);
      missed++;
    } else {
      assert(packets(duo) < FOUND_PACKETS, `${where}: ${packets(duo)} packets`);
      assertStays(duo, stream, where);
    }
  }
  assert(missed <= SEEDS / 100, `${dialler} dials ${dialled}: ${missed} of ${SEEDS} not found`);
}

/** A search that has ended leaves at most the one socket that its path needs, and data flow. */
function assertStays(duo: Duo, stream: number, where: string): void {
  const before = duo.b.received;
  duo.net.run(100);
  duo.a.write(stream, new Uint8Array(1_000));
  assert(duo.net.runUntil(() => duo.b.received === before + 1_000, 1_000), `${where}: data stop`);
  assert(duo.isDirect, `${where}: direct no more`);
  for (const { socket } of [duo.a, duo.b]) {
    assert(socket.extraSockets <= 1, `${where}: ${socket.extraSockets} sockets are left`);
  }
}

/** A little traffic, so that both have a reason to look for a better path. */
function keepTalking(duo: Duo, stream: number, ms: number): void {
  for (let passed = 0; passed < ms; passed += 5_000) {
    duo.a.write(stream, new Uint8Array(100));
    duo.net.run(5_000);
  }
}

function packets({ a, b }: Duo): number {
  return a.socket.stats.sent + b.socket.stats.sent;
}

function isConnected(agent: DuoAgent, stream: number): boolean {
  return agent.events.some((event) =>
    event.type === "stream" && event.event.type === "connected" && event.event.id === stream
  );
}

/** Registers the tests of one row of the matrix. */
export function testRow(dialler: ClassName): void {
  for (const dialled of ORDER) {
    Deno.test(`${dialler} dials ${dialled}: ${outcomeOf(dialler, dialled)}`, () => runPair(dialler, dialled));
  }
}
