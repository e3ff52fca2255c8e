/**
 * What two nodes of our kind tell each other, sealed, about ways to reach them: payloads of control packets to
 * `PORT_TRAVERSAL`.
 *
 * ```text
 * 01 candidates   01 | flags 1 | generation 4 | behaviour 1 | port step 1 | count 1 | endpoints
 *                 flags: bit 0 = probe now, please
 *                 behaviour, two bits each, 0 = unknown, from the lowest: translated (1 no, 2 yes);
 *                   mapping, filtering (1 endpoint-independent, 2 address-, 3 address-and-port-dependent);
 *                   ports (1 preserving, 2 sequential, 3 random)
 *                 endpoint: kind 1 (1 local, 2 reflexive, 3 mapped) | length of address 1 (4, 16) | address | port 2
 * 02 received     02 | generation 4
 * 03 search       03 | stage 1 (1 request, 2 agreed) | attempt 4 | round 1 | last port 2 (0 unknown)
 * ```
 *
 * Readers skip endpoints of a kind they do not know and bytes after the last field. Integers are big-endian.
 */

import { concatBytes } from "./bytes.ts";
import { type Endpoint, ipFromBytes, ipToBytes } from "./endpoint.ts";
import { MAX_UINT16, MAX_UINT32, MAX_UINT8, requireUint, uint16Bytes, viewOf } from "./uint.ts";

/** Most endpoints in one message. */
export const MAX_ENDPOINTS = 16;

/** How a node knows an endpoint of its own: from its interfaces, from its beacon, from its router. */
export type CandidateKind = "local" | "reflexive" | "mapped";

/** One place where a node may be reached. */
export interface Candidate {
  readonly kind: CandidateKind;
  readonly endpoint: Endpoint;
}

type Dependence = "endpoint-independent" | "address-dependent" | "address-and-port-dependent";
type PortAssignment = "preserving" | "sequential" | "random";

/** What a node knows of the NAT in front of it (RFC 4787). Members are absent while unknown. */
export interface NatFacts {
  readonly isTranslated?: boolean;
  readonly mapping?: Dependence;
  readonly filtering?: Dependence;
  readonly ports?: PortAssignment;
  /** Distance of two ports assigned in a row, 0 to 127 either way; for `sequential`. */
  readonly portStep?: number;
}

/** All that a node tells about ways to reach it. A higher generation replaces a lower one. */
export interface CandidatesMessage {
  readonly kind: "candidates";
  readonly generation: number;
  /** Whether the receiver is asked to probe at once, as the sender does. */
  readonly probeNow: boolean;
  readonly nat: NatFacts;
  readonly candidates: readonly Candidate[];
}

/** A step of searching ports together. */
export interface SearchMessage {
  readonly kind: "search";
  /** `request` asks to begin a round, `agreed` says that it has begun. */
  readonly stage: "request" | "agreed";
  readonly attempt: number;
  readonly round: number;
  /** The outside port that the sender's NAT gave last, `undefined` when it does not matter. */
  readonly lastPort: number | undefined;
}

/** Any of the messages. */
export type TraversalMessage =
  | CandidatesMessage
  | { readonly kind: "received"; readonly generation: number }
  | SearchMessage;

const Type = { CANDIDATES: 1, RECEIVED: 2, SEARCH: 3 } as const;
const FLAG_PROBE_NOW = 1;
const CANDIDATES_HEAD = 9;
const SEARCH_SIZE = 9;

const KINDS: readonly CandidateKind[] = ["local", "reflexive", "mapped"];
const DEPENDENCES: readonly Dependence[] = [
  "endpoint-independent",
  "address-dependent",
  "address-and-port-dependent",
];
const ASSIGNMENTS: readonly PortAssignment[] = ["preserving", "sequential", "random"];
const STAGES: readonly SearchMessage["stage"][] = ["request", "agreed"];

/** Reads a message. */
export function decodeTraversal(data: Uint8Array): TraversalMessage | "short" | "type" | "field" {
  const type = data[0];
  if (type === undefined) return "short";
  if (type === Type.CANDIDATES) return decodeCandidates(data);
  if (type === Type.RECEIVED) {
    return data.length < 5 ? "short" : { kind: "received", generation: viewOf(data).getUint32(1) };
  }
  return type === Type.SEARCH ? decodeSearch(data) : "type";
}

/** The bytes of a message. @throws RangeError when a field does not fit, or there are too many endpoints */
export function encodeTraversal(message: TraversalMessage): Uint8Array<ArrayBuffer> {
  if (message.kind === "candidates") return encodeCandidates(message);
  if (message.kind === "search") return encodeSearch(message);
  requireUint("generation", message.generation, MAX_UINT32);
  const bytes = new Uint8Array(5);
  bytes[0] = Type.RECEIVED;
  viewOf(bytes).setUint32(1, message.generation);
  return bytes;
}

function decodeCandidates(data: Uint8Array): CandidatesMessage | "short" | "field" {
  if (data.length < CANDIDATES_HEAD) return "short";
  const view = viewOf(data);
  const count = view.getUint8(8);
  if (count > MAX_ENDPOINTS) return "field";
  const candidates: Candidate[] = [];
  for (let left = count, offset = CANDIDATES_HEAD; left > 0; left--) {
    if (offset + 2 > data.length) return "short";
    const length = view.getUint8(offset + 1);
    if (length !== 4 && length !== 16) return "field";
    const end = offset + 2 + length;
    if (end + 2 > data.length) return "short";
    const kind = KINDS[view.getUint8(offset) - 1];
    const endpoint = { host: ipFromBytes(data.subarray(offset + 2, end)), port: view.getUint16(end) };
    if (kind !== undefined) candidates.push({ kind, endpoint });
    offset = end + 2;
  }
  return {
    kind: "candidates",
    generation: view.getUint32(2),
    probeNow: (view.getUint8(1) & FLAG_PROBE_NOW) !== 0,
    nat: decodeFacts(view.getUint8(6), view.getInt8(7)),
    candidates,
  };
}

function encodeCandidates(message: CandidatesMessage): Uint8Array<ArrayBuffer> {
  const { generation, probeNow, nat, candidates } = message;
  requireUint("generation", generation, MAX_UINT32);
  requireUint("number of endpoints", candidates.length, MAX_ENDPOINTS);
  const head = new Uint8Array(CANDIDATES_HEAD);
  const view = viewOf(head);
  head[0] = Type.CANDIDATES;
  head[1] = probeNow ? FLAG_PROBE_NOW : 0;
  view.setUint32(2, generation);
  head[6] = encodeFacts(nat);
  view.setInt8(7, Math.max(-127, Math.min(127, nat.portStep ?? 0)));
  head[8] = candidates.length;
  return concatBytes(head, ...candidates.map(encodeCandidate));
}

function encodeCandidate({ kind, endpoint }: Candidate): Uint8Array {
  const ip = ipToBytes(endpoint.host);
  if (ip === undefined) throw new RangeError(`not an IP address: ${endpoint.host}`);
  return concatBytes(Uint8Array.of(KINDS.indexOf(kind) + 1, ip.length), ip, uint16Bytes(endpoint.port));
}

function decodeFacts(bits: number, step: number): NatFacts {
  const translated = bits & 3;
  const mapping = DEPENDENCES[((bits >> 2) & 3) - 1];
  const filtering = DEPENDENCES[((bits >> 4) & 3) - 1];
  const ports = ASSIGNMENTS[((bits >> 6) & 3) - 1];
  return {
    ...(translated === 1 || translated === 2 ? { isTranslated: translated === 2 } : {}),
    ...(mapping === undefined ? {} : { mapping }),
    ...(filtering === undefined ? {} : { filtering }),
    ...(ports === undefined ? {} : { ports }),
    ...(step === 0 || step === -128 ? {} : { portStep: step }),
  };
}

function encodeFacts({ isTranslated, mapping, filtering, ports }: NatFacts): number {
  const translated = isTranslated === undefined ? 0 : isTranslated ? 2 : 1;
  const code = <Value>(list: readonly Value[], value: Value | undefined) =>
    value === undefined ? 0 : list.indexOf(value) + 1;
  return translated | (code(DEPENDENCES, mapping) << 2) | (code(DEPENDENCES, filtering) << 4) |
    (code(ASSIGNMENTS, ports) << 6);
}

function decodeSearch(data: Uint8Array): SearchMessage | "short" | "field" {
  if (data.length < SEARCH_SIZE) return "short";
  const view = viewOf(data);
  const stage = STAGES[view.getUint8(1) - 1];
  if (stage === undefined) return "field";
  const port = view.getUint16(7);
  return {
    kind: "search",
    stage,
    attempt: view.getUint32(2),
    round: view.getUint8(6),
    lastPort: port === 0 ? undefined : port,
  };
}

function encodeSearch({ stage, attempt, round, lastPort }: SearchMessage): Uint8Array<ArrayBuffer> {
  requireUint("attempt", attempt, MAX_UINT32);
  requireUint("round", round, MAX_UINT8);
  requireUint("last port", lastPort ?? 0, MAX_UINT16);
  const bytes = new Uint8Array(SEARCH_SIZE);
  const view = viewOf(bytes);
  bytes[0] = Type.SEARCH;
  bytes[1] = STAGES.indexOf(stage) + 1;
  view.setUint32(2, attempt);
  bytes[6] = round;
  view.setUint16(7, lastPort ?? 0);
  return bytes;
}
