/** Whether the lab's NATs behave as their names say, found out without the product. */

import { at } from "../e2e/process.ts";
import { runCrowd } from "./crowd.ts";
import { NETWORK_CLASSES, type NetworkClass } from "./expected.ts";
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

/** Examines the NAT of every class whose check is wanted. */
export async function checkBehaviour(
  lab: Lab,
  report: Report,
  wanted: (name: string) => boolean,
): Promise<void> {
  const classes = NETWORK_CLASSES.filter((kind) => wanted(checkName(kind)));
  if (classes.length === 0) return;
  const { server, serverAddresses } = lab.internet;
  const answering = lab.start(server, { script: SCRIPT, args: ["server", ...serverAddresses], home: "/" });
  await answering.ready(/ready/);
  const check = async (kind: NetworkClass) => {
    const home = await lab.internet.addHome(`n-${kind.toLowerCase()}`, kind, 0);
    const probe = lab.start(home.host, { script: SCRIPT, args: ["host", ...serverAddresses], home: "/" });
    const { json } = await probe.finished();
    const [mapping, filtering] = [at(json, "mapping"), at(json, "filtering")];
    const expected = EXPECTED[kind];
    const figures = `mapping: ${mapping}, filtering: ${filtering}`;
    if (mapping === expected.mapping && filtering === expected.filtering) {
      report.pass(checkName(kind), figures);
    } else report.fail(checkName(kind), `${figures}, but it is not ${kind} then`, probe.log);
  };
  await runCrowd(classes.map((kind) => ({ needs: [kind], run: () => check(kind) })), AT_ONCE);
  await answering.kill();
}

function checkName(kind: NetworkClass): string {
  return `the NAT named ${kind} is one`;
}
