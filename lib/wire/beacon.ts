/**
 * Datagrams between nodes and beacons, told by their first byte.
 *
 * ```text
 * 01 Discover        node 4                         06 RelayDeliver      sender 4, frame
 * 02 DiscoverReply   ip length 1, ip, port 2        07 Sync              beacon 4, count 2, nodes 4 each
 * 03 PunchRequest    requester 4, target 4          08 DiscoverEx        node 4
 * 04 PunchCommand    ip length 1, ip, port 2        09 RelayDeliverDest  sender 4, destination 4, frame
 * 05 Relay           sender 4, destination 4, frame 0A Notify            reason 1
 * 0D MeshPunch       requester 4, target 4, hops 1, ip length 1, ip, port 2
 * ```
 *
 * Surplus bytes are ignored by every receiver where no frame follows: they are the trailers.
 */

import { concatBytes } from "./bytes.ts";
import { type Endpoint, ipFromBytes, ipToBytes } from "./endpoint.ts";
import { MAX_UINT32, MAX_UINT8, requireUint, uint16Bytes, viewOf } from "./uint.ts";

/** First bytes of the messages. */
export const BeaconType = {
  DISCOVER: 0x01,
  DISCOVER_REPLY: 0x02,
  PUNCH_REQUEST: 0x03,
  PUNCH_COMMAND: 0x04,
  RELAY: 0x05,
  RELAY_DELIVER: 0x06,
  SYNC: 0x07,
  DISCOVER_EX: 0x08,
  RELAY_DELIVER_DEST: 0x09,
  NOTIFY: 0x0a,
  MESH_PUNCH: 0x0d,
} as const;

/** Most nodes in one Sync, so that it fits a UDP datagram over IPv4. */
export const MAX_SYNC_NODES = 16375;

/** Any beacon message. Numbers are node IDs; `trailer` is what follows the known fields. */
export type BeaconMessage =
  | { readonly kind: "discover" | "discover_ex"; readonly node: number; readonly trailer: Uint8Array }
  | {
    readonly kind: "discover_reply" | "punch_command";
    readonly endpoint: Endpoint;
    readonly trailer: Uint8Array;
  }
  | {
    readonly kind: "punch_request";
    readonly requester: number;
    readonly target: number;
    readonly trailer: Uint8Array;
  }
  | {
    readonly kind: "relay" | "relay_deliver_dest";
    readonly sender: number;
    readonly destination: number;
    readonly frame: Uint8Array;
  }
  | { readonly kind: "relay_deliver"; readonly sender: number; readonly frame: Uint8Array }
  | { readonly kind: "sync"; readonly beacon: number; readonly nodes: readonly number[] }
  /**
   * Between beacons: `requester`, which is at `from`, wants to punch with `target`. An answer when no `hops` are left.
   */
  | {
    readonly kind: "mesh_punch";
    readonly requester: number;
    readonly target: number;
    readonly hops: number;
    readonly from: Endpoint;
    readonly trailer: Uint8Array;
  }
  /** `reason` 1: a relayed handshake waits at the registry. */
  | { readonly kind: "notify"; readonly reason: number };

/** A message to encode: as decoded, but trailers may be left out. */
export type BeaconInput = WithOptionalTrailer<BeaconMessage>;

type WithOptionalTrailer<M> = M extends { readonly trailer: Uint8Array }
  ? Omit<M, "trailer"> & { readonly trailer?: Uint8Array }
  : M;

const EMPTY = new Uint8Array(0);

/** Reads a message; `frame` and `trailer` are views of `data`. */
export function decodeBeacon(data: Uint8Array): BeaconMessage | "short" | "type" | "address" {
  if (data.length === 0) return "short";
  const view = viewOf(data);
  switch (view.getUint8(0)) {
    case BeaconType.DISCOVER:
    case BeaconType.DISCOVER_EX: {
      if (data.length < 5) return "short";
      const kind = view.getUint8(0) === BeaconType.DISCOVER ? "discover" : "discover_ex";
      return { kind, node: view.getUint32(1), trailer: data.subarray(5) };
    }
    case BeaconType.DISCOVER_REPLY:
      return decodeEndpoint("discover_reply", data);
    case BeaconType.PUNCH_COMMAND:
      return decodeEndpoint("punch_command", data);
    case BeaconType.PUNCH_REQUEST:
      if (data.length < 9) return "short";
      return {
        kind: "punch_request",
        requester: view.getUint32(1),
        target: view.getUint32(5),
        trailer: data.subarray(9),
      };
    case BeaconType.RELAY:
    case BeaconType.RELAY_DELIVER_DEST: {
      if (data.length < 9) return "short";
      const kind = view.getUint8(0) === BeaconType.RELAY ? "relay" : "relay_deliver_dest";
      return { kind, sender: view.getUint32(1), destination: view.getUint32(5), frame: data.subarray(9) };
    }
    case BeaconType.RELAY_DELIVER:
      if (data.length < 5) return "short";
      return { kind: "relay_deliver", sender: view.getUint32(1), frame: data.subarray(5) };
    case BeaconType.SYNC: {
      if (data.length < 7) return "short";
      const count = view.getUint16(5);
      if (data.length < 7 + 4 * count) return "short";
      const nodes = Array.from({ length: count }, (_, i) => view.getUint32(7 + 4 * i));
      return { kind: "sync", beacon: view.getUint32(1), nodes };
    }
    case BeaconType.MESH_PUNCH:
      return decodeMeshPunch(data);
    case BeaconType.NOTIFY:
      if (data.length < 2) return "short";
      return { kind: "notify", reason: view.getUint8(1) };
    default:
      return "type";
  }
}

/** The datagram of a message. @throws RangeError when a field does not fit or a host is no IP address */
export function encodeBeacon(message: BeaconInput): Uint8Array<ArrayBuffer> {
  switch (message.kind) {
    case "discover":
      return concatBytes(head(BeaconType.DISCOVER, message.node), message.trailer ?? EMPTY);
    case "discover_ex":
      return concatBytes(head(BeaconType.DISCOVER_EX, message.node), message.trailer ?? EMPTY);
    case "discover_reply":
      return concatBytes(
        encodeEndpoint(BeaconType.DISCOVER_REPLY, message.endpoint),
        message.trailer ?? EMPTY,
      );
    case "punch_command":
      return concatBytes(
        encodeEndpoint(BeaconType.PUNCH_COMMAND, message.endpoint),
        message.trailer ?? EMPTY,
      );
    case "punch_request":
      return concatBytes(
        head(BeaconType.PUNCH_REQUEST, message.requester, message.target),
        message.trailer ?? EMPTY,
      );
    case "relay":
      return concatBytes(head(BeaconType.RELAY, message.sender, message.destination), message.frame);
    case "relay_deliver_dest":
      return concatBytes(
        head(BeaconType.RELAY_DELIVER_DEST, message.sender, message.destination),
        message.frame,
      );
    case "relay_deliver":
      return concatBytes(head(BeaconType.RELAY_DELIVER, message.sender), message.frame);
    case "sync":
      return encodeSync(message.beacon, message.nodes);
    case "mesh_punch":
      return encodeMeshPunch(message, message.trailer ?? EMPTY);
    case "notify":
      requireUint("reason", message.reason, MAX_UINT8);
      return Uint8Array.of(BeaconType.NOTIFY, message.reason);
  }
}

function decodeEndpoint(
  kind: "discover_reply" | "punch_command",
  data: Uint8Array,
): BeaconMessage | "short" | "address" {
  const read = readEndpoint(data.subarray(1));
  return typeof read === "string" ? read : { kind, endpoint: read.endpoint, trailer: read.rest };
}

function decodeMeshPunch(data: Uint8Array): BeaconMessage | "short" | "address" {
  if (data.length < 10) return "short";
  const read = readEndpoint(data.subarray(10));
  if (typeof read === "string") return read;
  const view = viewOf(data);
  return {
    kind: "mesh_punch",
    requester: view.getUint32(1),
    target: view.getUint32(5),
    hops: view.getUint8(9),
    from: read.endpoint,
    trailer: read.rest,
  };
}

function encodeMeshPunch(
  message: Extract<BeaconInput, { kind: "mesh_punch" }>,
  trailer: Uint8Array,
): Uint8Array<ArrayBuffer> {
  requireUint("hops", message.hops, MAX_UINT8);
  return concatBytes(
    head(BeaconType.MESH_PUNCH, message.requester, message.target),
    Uint8Array.of(message.hops),
    endpointBytes(message.from),
    trailer,
  );
}

/** Length of the address, address and port at the beginning of `data`. */
function readEndpoint(
  data: Uint8Array,
): { readonly endpoint: Endpoint; readonly rest: Uint8Array } | "short" | "address" {
  const length = data[0];
  if (length === undefined) return "short";
  if (length !== 4 && length !== 16) return "address";
  if (data.length < 3 + length) return "short";
  const host = ipFromBytes(data.subarray(1, 1 + length));
  return { endpoint: { host, port: viewOf(data).getUint16(1 + length) }, rest: data.subarray(3 + length) };
}

function encodeEndpoint(type: number, endpoint: Endpoint): Uint8Array {
  return concatBytes(Uint8Array.of(type), endpointBytes(endpoint));
}

function endpointBytes(endpoint: Endpoint): Uint8Array {
  const ip = ipToBytes(endpoint.host);
  if (ip === undefined) throw new RangeError(`not an IP address: ${endpoint.host}`);
  return concatBytes(Uint8Array.of(ip.length), ip, uint16Bytes(endpoint.port));
}

function encodeSync(beacon: number, nodes: readonly number[]): Uint8Array<ArrayBuffer> {
  requireUint("number of nodes", nodes.length, MAX_SYNC_NODES);
  const list = new Uint8Array(2 + 4 * nodes.length);
  const view = viewOf(list);
  view.setUint16(0, nodes.length);
  for (const [i, node] of nodes.entries()) {
    requireUint("node", node, MAX_UINT32);
    view.setUint32(2 + 4 * i, node);
  }
  return concatBytes(head(BeaconType.SYNC, beacon), list);
}

function head(type: number, ...numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(1 + 4 * numbers.length);
  const view = viewOf(bytes);
  view.setUint8(0, type);
  for (const [i, number] of numbers.entries()) {
    requireUint("node", number, MAX_UINT32);
    view.setUint32(1 + 4 * i, number);
  }
  return bytes;
}

/** Our trailer of a punch command: the node that is said to be at the endpoint. Foreign beacons send none. */
export function encodePunchTrailer(node: number): Uint8Array {
  const trailer = new Uint8Array(4);
  viewOf(trailer).setUint32(0, node);
  return trailer;
}

/** The node that a punch command is about, `undefined` when the beacon does not say. */
export function decodePunchTrailer(trailer: Uint8Array): number | undefined {
  return trailer.length < 4 ? undefined : viewOf(trailer).getUint32(0);
}
