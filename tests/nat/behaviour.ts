/** Whether the lab's NATs behave as their names say, found out without the product. */

import { pause } from "../../lib/io/pause.ts";
import { at } from "../e2e/process.ts";
import { runCrowd } from "./crowd.ts";
import { NETWORK_CLASSES, type NetworkClass } from "./expected.ts";
import type { Home } from "./internet.ts";
import type { Lab } from "./lab.ts";
import type { Behaviour } from "./probe.ts";
import type { Report } from "./report.ts";

const SCRIPT = "tests/nat/probe.ts";
const AT_ONCE = 3;

const EXPECTED: Readonly<Record<NetworkClass, Behaviour>> = {
  open: { mapping: "endpoint", filtering: "endpoint" },
  fullCone: { mapping: "endpoint", filtering: "endpoint" },
  addressRestricted: { mapping: "endpoint", filtering: "address" },
  portRestricted: { mapping: "endpoint", filtering: "address-and-port" },
  symmetric: { mapping: "address-and-port", filtering: "address-and-port" },
  carrier: { mapping: "address-and-port", filtering: "address-and-port" },
  blocked: { mapping: "none", filtering: "none" },
};

/** What an agent calls its NAT. One that gets no datagram through cannot tell. */
const WORDS: Readonly<Partial<Record<NetworkClass, string>>> = {
  open: "none",
  fullCone: "full-cone",
  addressRestricted: "restricted-cone",
  portRestricted: "port-restricted-cone",
  symmetric: "symmetric",
  carrier: "symmetric",
};
/** Longest wait until an agent has found out, milliseconds; the product needs a few seconds. */
const WORD_MS = 15_000;

/** What an agent says for this long counts, milliseconds. */
const SETTLED_MS = 2_000;

/** Examines the NAT of every class whose check is wanted, then lets an agent do it. */
export async function checkBehaviour(
  lab: Lab,
  report: Report,
  wanted: (name: string) => boolean,
): Promise<void> {
  const classes = NETWORK_CLASSES.filter((kind) =>
    wanted(natName(kind)) || wanted(agentName(kind, WORDS[kind] ?? ""))
  );
  if (classes.length === 0) return;
  const homes = new Map<NetworkClass, Home>();
  for (const kind of classes) {
    homes.set(kind, await lab.internet.addHome(`n-${kind.toLowerCase()}`, kind, 0));
  }
  const inAll = async (work: (kind: NetworkClass, home: Home) => Promise<void>) => {
    const tasks = [...homes].map(([kind, home]) => ({ needs: [kind], run: () => work(kind, home) }));
    await runCrowd(tasks, AT_ONCE);
  };
  const { server, serverAddresses } = lab.internet;
  const answering = lab.start(server, { script: SCRIPT, args: ["server", ...serverAddresses], home: "/" });
  await answering.ready(/ready/);
  await inAll(async (kind, home) => {
    if (!wanted(natName(kind))) return;
    const probe = lab.start(home.host, { script: SCRIPT, args: ["host", ...serverAddresses], home: "/" });
    await report.check(natName(kind), async () => {
      const { json } = await probe.finished();
      return same(describe(at(json, "mapping"), at(json, "filtering")), describeExpected(kind));
    }, () => probe.log);
    await home.forgetFlows();
  });
  await answering.kill();
  await inAll(async (kind, home) => {
    const word = WORDS[kind];
    if (word === undefined || !wanted(agentName(kind, word))) return;
    const agent = lab.agent(`n-${kind.toLowerCase()}`, home.host);
    await report.check(agentName(kind, word), async () => {
      await agent.start();
      const started = performance.now();
      for (let since = Infinity;; await pause(100)) {
        const { nat_type } = await agent.client.info();
        const elapsed = Math.round(performance.now() - started);
        since = nat_type === word ? Math.min(since, elapsed) : Infinity;
        if (elapsed >= since + SETTLED_MS) return `after ${since} ms`;
        if (elapsed > WORD_MS) return same(nat_type, word);
      }
    }, () => [lab.log, agent.log].join("\n"));
    if (agent.isUp) await agent.stop();
  });
}

function natName(kind: NetworkClass): string {
  return `the NAT named ${kind} is one`;
}

function agentName(kind: NetworkClass, word: string): string {
  return `an agent behind ${kind} calls it ${word}`;
}

function describe(mapping: unknown, filtering: unknown): string {
  return `mapping: ${mapping}, filtering: ${filtering}`;
}

function describeExpected(kind: NetworkClass): string {
  return describe(EXPECTED[kind].mapping, EXPECTED[kind].filtering);
}

/** What was found. @throws Error when it is not what was expected */
function same(found: string, expected: string): string {
  if (found !== expected) throw new Error(`${found}, not ${expected}`);
  return found;
}
