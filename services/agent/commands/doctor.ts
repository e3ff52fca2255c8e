/**
 * `doctor`: what is wrong with the agent or its network, check by check.
 */

import { columns, indentedColumns, printable } from "../../../lib/cli/columns.ts";
import type { Command, Context } from "../../../lib/cli/command.ts";
import type { CheckStatus, ClientCheck, ClientDoctor } from "../../../lib/client/doctor.ts";
import { PLACE_FLAGS, placeSources } from "./common.ts";
import { networkRows } from "./network_words.ts";

/** How long an agent may take to accept a connection, milliseconds. */
const PATIENCE_MS = 3_000;

const MARKS: Readonly<Record<CheckStatus, string>> = { ok: "✓", warn: "!", fail: "✗", unknown: "-" };

/** Checks everything. */
export const doctorCommand: Command = {
  name: "doctor",
  summary: "Check the agent and its network, and say what to do about what is wrong",
  args: [],
  flags: [
    {
      name: "registry",
      kind: "string",
      placeholder: "HOST:PORT",
      summary: "Registry to check when no agent runs (else PILOT_REGISTRY, ...)",
    },
    {
      name: "beacon",
      kind: "string",
      placeholder: "HOST:PORT",
      repeatable: true,
      summary: "Beacon to check when no agent runs (else PILOT_BEACON, ...)",
    },
    ...PLACE_FLAGS,
  ],
  returns:
    "{healthy, nat_type, endpoint, strategy, checks: [{name, status: ok|warn|fail|unknown, value, hint}]}",
  examples: ["doctor", "doctor --json"],
  async run(context) {
    const report = await fromAgent(context) ?? await withoutAgent(context);
    const healthy = report.checks.every(({ status }) => status !== "fail");
    context.out.result({ healthy, ...report }, () => doctorText(report));
    if (!healthy) context.exit(1);
  },
};

/** The report of the running agent, `undefined` when none runs. */
async function fromAgent(context: Context): Promise<ClientDoctor | undefined> {
  const [{ AgentClient }, { PilotError }, { resolvePlace }] = await Promise.all([
    import("../../../lib/client/agent.ts"),
    import("../../../lib/wire/error.ts"),
    import("../config.ts"),
  ]);
  const { socket } = resolvePlace(placeSources(context));
  const { signal } = context;
  try {
    await using client = await AgentClient.connect({ socket, timeoutMs: PATIENCE_MS, signal });
    context.out.progress("checking the running agent ...");
    return await client.doctor({ signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PilotError && error.code === "not_running") return undefined;
    throw error;
  }
}

async function withoutAgent(context: Context): Promise<ClientDoctor> {
  const [{ examineComputer }, { resolveAgentOptions }] = await Promise.all([
    import("../doctor_alone.ts"),
    import("../config.ts"),
  ]);
  context.out.progress("no agent runs: checking the network from here ...");
  const options = resolveAgentOptions({
    ...placeSources(context),
    registry: context.flags.string("registry"),
    beacons: context.flags.has("beacon") ? context.flags.strings("beacon") : undefined,
  });
  return await examineComputer(options, context.signal);
}

/** The report for people. */
export function doctorText(report: ClientDoctor): string {
  const rows = report.checks.map((check) => [MARKS[check.status], check.name, printable(check.value)]);
  const failed = report.checks.filter(({ status }) => status === "fail").length;
  const warned = report.checks.filter(({ status }) => status === "warn").length;
  const verdict = failed > 0
    ? `${failed} ${failed === 1 ? "check" : "checks"} failed`
    : warned > 0
    ? `nothing failed, ${warned} ${warned === 1 ? "thing" : "things"} could be better`
    : "all is well";
  return [
    ...columns(networkRows(report)),
    "",
    ...indentedColumns(rows),
    ...hintLines(report.checks),
    "",
    verdict,
  ].join("\n");
}

function hintLines(checks: readonly ClientCheck[]): string[] {
  const hints = checks.filter(({ hint }) => hint !== "");
  return hints.length === 0
    ? []
    : ["", ...hints.map(({ name, hint }) => `hint:  ${name}: ${printable(hint)}`)];
}
