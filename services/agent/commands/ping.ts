/**
 * `ping`: how long a few bytes take to a peer's echo service and back.
 */

import type { Command, Context } from "../../../lib/cli/command.ts";
import { formatMilliseconds } from "../../../lib/cli/duration.ts";
import type { AgentClient } from "../../../lib/client/agent.ts";
import type { ClientStream } from "../../../lib/client/stream.ts";
import { pause } from "../../../lib/io/pause.ts";
import { formatAddress } from "../../../lib/wire/address.ts";
import { PEER_ARGUMENT, PLACE_FLAGS, required, wholeNumber, withAgent } from "./common.ts";
import { dialPeer, findPeer, type Peer } from "./peer.ts";
import { within } from "./waiting.ts";

/** The echo service. */
const ECHO_PORT = 7;
/** From one probe to the next, in milliseconds. */
const INTERVAL_MS = 1_000;

/** One probe: its time, or what went wrong. */
interface Probe {
  readonly seq: number;
  readonly bytes?: number;
  readonly rtt_ms?: number;
  readonly error?: string;
}

/** Measures the way to a peer. */
export const pingCommand: Command = {
  name: "ping",
  summary: "Measure the round-trip time to a peer",
  args: [PEER_ARGUMENT],
  flags: [
    { name: "count", kind: "number", default: "4", summary: "Number of probes" },
    { name: "timeout", kind: "duration", default: "30s", summary: "Longest time for all of it" },
    { name: "strict", kind: "boolean", summary: "Exit 1 when a probe got no answer" },
    ...PLACE_FLAGS,
  ],
  returns: "{target, results: [{seq, bytes, rtt_ms} or {seq, error}], timeout, sent, received, setup_ms}",
  examples: ["ping agent-b", "ping agent-b --count 1 --strict"],
  async run(context) {
    const count = wholeNumber(context, "count", { min: 1, max: 1_000_000 });
    await withAgent(context, (client) => ping(context, client, count));
  },
};

async function ping(context: Context, client: AgentClient, count: number): Promise<void> {
  const deadline = performance.now() + (context.flags.duration("timeout") ?? 0);
  const left = () => Math.max(0, deadline - performance.now());
  const peer = await findPeer(client, required(context, "peer"));
  const target = formatAddress(peer.address);
  context.out.text(`PING ${peer.name === target ? target : `${peer.name} (${target})`}`);

  const results: Probe[] = [];
  let timeout = false;
  const begun = performance.now();
  const stream = await reach(client, { peer, timeoutMs: left(), signal: context.signal });
  const setup = performance.now() - begun;
  if (typeof stream === "string") {
    record(context, results, { seq: 0, error: stream });
  } else {
    for (let seq = 0; seq < count; seq++) {
      if (seq > 0) await pause(Math.min(INTERVAL_MS, left()), context.signal);
      context.signal.throwIfAborted();
      timeout = left() === 0;
      if (timeout) break;
      const probe = await measure(stream, seq, { timeoutMs: left(), signal: context.signal });
      record(context, results, probe);
      if (probe.error !== undefined) break;
    }
  }
  const times = results.flatMap((probe) => probe.rtt_ms === undefined ? [] : [probe.rtt_ms]);
  const data = {
    target,
    results,
    timeout,
    sent: results.length,
    received: times.length,
    ...(typeof stream === "string" ? {} : { setup_ms: setup }),
  };
  context.out.result(data, () => summary(results.length, times) + (timeout ? ", stopped by --timeout" : ""));
  if (context.flags.boolean("strict") && times.length < count) context.exit(1);
  if (typeof stream !== "string") await within(stream.close(), Math.min(1_000, left()));
}

/** Connects to the echo service once for all probes; the text of the error when that fails. */
async function reach(
  client: AgentClient,
  options: { peer: Peer; timeoutMs: number; signal: AbortSignal },
): Promise<ClientStream | string> {
  const { peer, timeoutMs, signal } = options;
  try {
    return await dialPeer(client, peer, { port: ECHO_PORT, timeoutMs, signal });
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  }
}

async function measure(
  stream: ClientStream,
  seq: number,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<Probe> {
  const { timeoutMs, signal } = options;
  const probe = new TextEncoder().encode(`ping-${seq}`);
  const begun = performance.now();
  try {
    await stream.write(probe, { signal });
    for (let received = 0; received < probe.length;) {
      const chunk = await within(stream.read({ signal }), timeoutMs - (performance.now() - begun));
      if (chunk === "late") return { seq, error: "no answer in time" };
      if (chunk === null) return { seq, error: "the peer closed the connection" };
      received += chunk.length;
    }
    return { seq, bytes: probe.length, rtt_ms: performance.now() - begun };
  } catch (error) {
    signal.throwIfAborted();
    return { seq, error: error instanceof Error ? error.message : String(error) };
  }
}

function record(context: Context, results: Probe[], probe: Probe): void {
  results.push(probe);
  context.out.text(
    probe.rtt_ms === undefined
      ? `seq=${probe.seq} error: ${probe.error}`
      : `seq=${probe.seq} bytes=${probe.bytes} time=${formatMilliseconds(probe.rtt_ms)}`,
  );
}

function summary(sent: number, times: readonly number[]): string {
  const lost = sent === 0 ? 0 : Math.round((sent - times.length) / sent * 100);
  const line = `${sent} sent, ${times.length} received, ${lost}% lost`;
  if (times.length === 0) return line;
  const average = times.reduce((sum, time) => sum + time, 0) / times.length;
  const [least, mean, most] = [Math.min(...times), average, Math.max(...times)].map(formatMilliseconds);
  return `${line}, min/avg/max ${least} / ${mean} / ${most}`;
}
