/** One line about a datagram or packet, for traces and debug logs. Never shows payload bytes. */

import { formatSocketAddress } from "./address.ts";
import { type BeaconMessage, decodeBeacon } from "./beacon.ts";
import { formatEndpoint } from "./endpoint.ts";
import {
  decodeExamine,
  decodeExamineReply,
  type ExaminePlace,
  ExamineType,
  isExamineDatagram,
} from "./examine.ts";
import { decodePacket, Flag, type Packet, Protocol } from "./packet.ts";
import { decodeSack } from "./sack.ts";
import { decodeFrame, isBeaconDatagram } from "./tunnel.ts";
import { viewOf } from "./uint.ts";

/** What a datagram on a tunnel or beacon socket is; a malformed one is named with the reason. */
export function describeDatagram(data: Uint8Array): string {
  if (isExamineDatagram(data)) return describeExamine(data);
  return isBeaconDatagram(data) ? describeBeacon(data) : describeFrame(data);
}

/** A packet in clear, for example `SYN+ACK 0:0000.0000.0001:7 > 0:0000.0000.0002:49152 seq=0 ack=1 win=512 len=0`. */
export function describePacket(packet: Packet): string {
  const route = `${formatSocketAddress(packet.source, packet.sourcePort)} > ` +
    formatSocketAddress(packet.destination, packet.destinationPort);
  const length = `len=${packet.payload.length}`;
  switch (packet.protocol) {
    case Protocol.STREAM: {
      const { sequence, acknowledgement, window } = packet;
      const sack = decodeSack(packet.payload)?.map(({ left, right }) => ` sack=${left}-${right}`).join("") ??
        "";
      return `${
        describeFlags(packet.flags)
      } ${route} seq=${sequence} ack=${acknowledgement} win=${window} ${length}${sack}`;
    }
    case Protocol.DATAGRAM:
      return `datagram ${route} ${length}`;
    case Protocol.CONTROL:
      return `control ${
        describeFlags(packet.flags)
      } ${route} seq=${packet.sequence} ack=${packet.acknowledgement} ${length}`;
    default:
      return `protocol ${packet.protocol} ${route} ${length}`;
  }
}

function describeFlags(flags: number): string {
  const names = Object.entries(Flag).filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name);
  return names.length === 0 ? "-" : names.join("+");
}

function describeFrame(data: Uint8Array): string {
  const frame = decodeFrame(data);
  if (typeof frame === "string") return `${data.length} bytes, no frame: ${frame}`;
  switch (frame.kind) {
    case "sealed": {
      const counter = viewOf(frame.nonce).getBigUint64(4);
      const prefix = viewOf(frame.nonce).getUint32(0).toString(16).padStart(8, "0");
      return `PILS from ${frame.sender} prefix=${prefix} counter=${counter} len=${frame.ciphertext.length}`;
    }
    case "plain": {
      const packet = decodePacket(frame.packet);
      return typeof packet === "string" ? `PILT no packet: ${packet}` : `PILT ${describePacket(packet)}`;
    }
    case "authenticated":
      return `PILA from ${frame.sender} key=${keyPrefix(frame.exchangeKey)}${describeTrailer(frame.trailer)}`;
    case "unauthenticated":
      return `PILK from ${frame.sender} key=${keyPrefix(frame.exchangeKey)}`;
    case "punch":
      return `PILP${describeTrailer(frame.trailer)}`;
  }
}

function describeBeacon(data: Uint8Array): string {
  const message = decodeBeacon(data);
  return typeof message === "string"
    ? `${data.length} bytes, no beacon message: ${message}`
    : `${message.kind} ${describeBeaconFields(message)}`;
}

function describeExamine(data: Uint8Array): string {
  if (data[0] === ExamineType.EXAMINE) {
    const question = decodeExamine(data);
    if (typeof question === "string") return `${data.length} bytes, no examine: ${question}`;
    return `examine from ${describePlace(question.from)}${
      question.port === 0 ? "" : ` to port ${question.port}`
    }`;
  }
  const reply = decodeExamineReply(data);
  if (typeof reply === "string") return `${data.length} bytes, no examine_reply: ${reply}`;
  return `examine_reply from ${describePlace(reply.from)} seen ${formatEndpoint(reply.seen)}`;
}

function describePlace({ otherAddress, otherPort }: ExaminePlace): string {
  if (!otherAddress) return otherPort ? "other port" : "here";
  return otherPort ? "other address and port" : "other address";
}

function describeBeaconFields(message: BeaconMessage): string {
  switch (message.kind) {
    case "discover":
    case "discover_ex":
      return `node=${message.node}${describeTrailer(message.trailer)}`;
    case "discover_reply":
    case "punch_command":
      return `${formatEndpoint(message.endpoint)}${describeTrailer(message.trailer)}`;
    case "punch_request":
      return `${message.requester} > ${message.target}${describeTrailer(message.trailer)}`;
    case "relay":
    case "relay_deliver_dest":
      return `${message.sender} > ${message.destination}: ${describeFrame(message.frame)}`;
    case "relay_deliver":
      return `from ${message.sender}: ${describeFrame(message.frame)}`;
    case "sync":
      return `beacon=${message.beacon} nodes=${message.nodes.length}`;
    case "mesh_punch":
      return `${message.requester} at ${
        formatEndpoint(message.from)
      } > ${message.target} hops=${message.hops}` +
        describeTrailer(message.trailer);
    case "notify":
      return `reason=${message.reason}`;
  }
}

function describeTrailer(trailer: Uint8Array): string {
  return trailer.length === 0 ? "" : ` trailer=${trailer.length}`;
}

/** Enough of a public key to tell two apart. */
function keyPrefix(key: Uint8Array): string {
  return viewOf(key).getUint32(0).toString(16).padStart(8, "0");
}
