/**
 * `trace`: where the time of a round trip to a peer goes, stage by stage and path by path.
 */

import { columns } from "../../../lib/cli/columns.ts";
import type { Command, Context } from "../../../lib/cli/command.ts";
import type { AgentClient } from "../../../lib/client/agent.ts";
import type { ClientStream } from "../../../lib/client/stream.ts";
import type { ClientTrace, ClientTracePath } from "../../../lib/client/trace.ts";
import { formatAddress } from "../../../lib/wire/address.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import { PEER_ARGUMENT, PLACE_FLAGS, required, withAgent } from "./common.ts";
import { dialPeer, findPeer, type Peer } from "./peer.ts";
import { within } from "./waiting.ts";

/** The echo service answers `TRCE` and 8 bytes with the same and the time at the peer (Pilot Protocol). */
const ECHO_PORT = 7;
const MAGIC = [0x54, 0x52, 0x43, 0x45];
const REQUEST_SIZE = 12;
const ANSWER_SIZE = 20;
/** Measurements of each stage; the best one counts, because everything else is somebody being busy. */
const ROUNDS = 5;

/** Round trips, taken apart. */
export const traceCommand: Command = {
  name: "trace",
  aliases: ["traceroute"],
  summary: "Show where the time of a round trip to a peer goes, for each path",
  args: [PEER_ARGUMENT],
  flags: [
    { name: "timeout", kind: "duration", default: "30s", summary: "Longest wait for the peer" },
    ...PLACE_FLAGS,
  ],
  returns:
    "{target, setup_ms, local_ms, seal_ms, network_ms, peer_ms, total_ms, clock_offset_ms, rtt_samples: [{rtt_ms, bytes}], paths: [{kind, endpoint, in_use, sent, answered, min_rtt_ms, avg_rtt_ms}]}",
  examples: ["trace agent-b"],
  run: (context) => withAgent(context, (client) => trace(context, client)),
};

/** One echo with the time at the peer. */
interface Sample {
  readonly rtt: number;
  /** The peer's clock minus ours, milliseconds, if the way there and back take the same time. */
  readonly offset: number | undefined;
}

async function trace(context: Context, client: AgentClient): Promise<void> {
  const peer = await findPeer(client, required(context, "peer"), (await client.info()).peer_list);
  const target = formatAddress(peer.address);
  context.out.text(`TRACE ${peer.name === target ? target : `${peer.name} (${target})`}`);
  const timeoutMs = context.flags.duration("timeout") ?? 0;
  const { signal } = context;
  const begun = performance.now();
  const stream = await dialPeer(client, peer, { port: ECHO_PORT, timeoutMs, signal });
  const setup = performance.now() - begun;
  const local = await localRoundTrip(client);
  const paths = await client.trace(peer.node, { signal });
  const samples: Sample[] = [];
  for (let round = 0; round < ROUNDS; round++) samples.push(await echo(stream, peer, { timeoutMs, signal }));
  await within(stream.close(), 1_000);
  const result = stages({ setup, local, paths, samples });
  context.out.result({ target, ...result }, () => table(result));
}

/** What the local socket and the agent behind it take, milliseconds. */
async function localRoundTrip(client: AgentClient): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now();
    await client.health();
    least = Math.min(least, performance.now() - begun);
  }
  return least;
}

async function echo(
  stream: ClientStream,
  peer: Peer,
  limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Sample> {
  const request = new Uint8Array(REQUEST_SIZE);
  request.set(MAGIC);
  const sentUnix = performance.timeOrigin + performance.now();
  new DataView(request.buffer).setBigUint64(4, BigInt(Math.round(sentUnix * 1000)) * 1000n);
  const begun = performance.now();
  await stream.write(request, { signal: limits.signal });
  const answer = new Uint8Array(ANSWER_SIZE);
  let length = 0;
  // Echo services that do not know the request send it back as it is.
  while (length < REQUEST_SIZE) {
    const piece = await within(stream.read({ signal: limits.signal }), limits.timeoutMs);
    if (piece === "late") throw new PilotError("timeout", `${peer.name} does not answer`);
    if (piece === null) throw new PilotError("connection_failed", `${peer.name} closed the connection`);
    answer.set(piece.subarray(0, ANSWER_SIZE - length), length);
    length += piece.length;
  }
  const rtt = performance.now() - begun;
  if (length < ANSWER_SIZE) return { rtt, offset: undefined };
  const there = Number(new DataView(answer.buffer).getBigUint64(REQUEST_SIZE) / 1000n) / 1000;
  return { rtt, offset: there - (sentUnix + rtt / 2) };
}

/** A path's figures. */
interface PathStage {
  readonly kind: string;
  readonly endpoint: string;
  readonly in_use: boolean;
  readonly sent: number;
  readonly answered: number;
  readonly min_rtt_ms: number | null;
  readonly avg_rtt_ms: number | null;
}

/** All figures, milliseconds. */
export interface Stages {
  readonly setup_ms: number;
  readonly local_ms: number;
  readonly seal_ms: number | null;
  readonly network_ms: number | null;
  readonly peer_ms: number | null;
  readonly total_ms: number;
  readonly clock_offset_ms: number | null;
  readonly rtt_samples: readonly { readonly rtt_ms: number; readonly bytes: number }[];
  readonly paths: readonly PathStage[];
}

/** Takes the measurements apart: what is left of the whole after socket, sealing and network is the peer's share. */
export function stages(
  measured: {
    readonly setup: number;
    readonly local: number;
    readonly paths: ClientTrace;
    readonly samples: readonly Sample[];
  },
): Stages {
  const { setup, local, samples } = measured;
  const best = samples.reduce((least, sample) => sample.rtt < least.rtt ? sample : least);
  const paths = measured.paths.paths.map(pathStage);
  const network = paths.find((path) => path.in_use)?.min_rtt_ms ?? null;
  const seal = measured.paths.seal_ms;
  const rest = network === null ? null : Math.max(0, best.rtt - local - (seal ?? 0) - network);
  return {
    setup_ms: rounded(setup),
    local_ms: rounded(local),
    seal_ms: seal,
    network_ms: network,
    peer_ms: rest === null ? null : rounded(rest),
    total_ms: rounded(best.rtt),
    clock_offset_ms: best.offset === undefined ? null : rounded(best.offset),
    rtt_samples: samples.map(({ rtt }) => ({ rtt_ms: rounded(rtt), bytes: REQUEST_SIZE })),
    paths,
  };
}

function pathStage({ kind, endpoint, in_use, sent, rtts_ms: rtts }: ClientTracePath): PathStage {
  const sum = rtts.reduce((total, rtt) => total + rtt, 0);
  return {
    kind,
    endpoint,
    in_use,
    sent,
    answered: rtts.length,
    min_rtt_ms: rtts.length === 0 ? null : Math.min(...rtts),
    avg_rtt_ms: rtts.length === 0 ? null : rounded(sum / rtts.length),
  };
}

/** The figures as a table. */
export function table(result: Stages): string {
  const rows = [
    ["local socket", time(result.local_ms), "program to agent and back"],
    ["seal and send", time(result.seal_ms), "encrypting, handing to the system"],
    ["network", time(result.network_ms), networkNote(result)],
    ["peer", time(result.peer_ms), "its agent and echo service, streams at both ends"],
    [
      "total",
      time(result.total_ms),
      `best of ${result.rtt_samples.length}; connecting took ${time(result.setup_ms)}`,
    ],
  ];
  const paths = result.paths.map((path) => [
    path.in_use ? "*" : "",
    path.kind,
    path.endpoint === "" ? "-" : path.endpoint,
    time(path.min_rtt_ms),
    time(path.avg_rtt_ms),
    `${path.answered} of ${path.sent}`,
  ]);
  const lines = [
    ...columns(rows).map((line) => `  ${line}`),
    "",
    ...columns([["", "PATH", "ENDPOINT", "BEST", "AVERAGE", "ANSWERED"], ...paths]),
  ];
  const { clock_offset_ms: offset } = result;
  if (offset !== null && Math.abs(offset) >= 1_000) {
    const seconds = (Math.abs(offset) / 1_000).toFixed(1);
    lines.push("", `Its clock is ${seconds} s ${offset > 0 ? "ahead of" : "behind"} ours.`);
  }
  return lines.join("\n");
}

function networkNote({ paths }: Stages): string {
  const inUse = paths.find((path) => path.in_use);
  if (inUse === undefined) return "not measured";
  return `${inUse.kind === "relay" ? "relayed by" : "direct to"} ${inUse.endpoint}`;
}

function time(milliseconds: number | null): string {
  if (milliseconds === null) return "-";
  return milliseconds < 1_000
    ? `${milliseconds.toFixed(milliseconds < 10 ? 3 : 1)} ms`
    : `${(milliseconds / 1_000).toFixed(1)} s`;
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
