/**
 * A UDP socket for Linux that sends and receives many datagrams with one system call.
 *
 * It is the socket of the runtime, used through a second descriptor: the runtime tells when something has arrived and
 * when there is room again, the calls of the C library move the data and never wait. Runs of equal datagrams to one
 * peer travel through the kernel as one (UDP segmentation offload), both ways.
 */

import type { Transmit } from "../core/machine.ts";
import { ipFromBytes, ipToBytes } from "../wire/endpoint.ts";
import type { BatchSocket, DatagramSink, DatagramSocket } from "./driver_socket.ts";
import {
  canSegment,
  type Descriptor,
  duplicateSocket,
  enlargeBuffers,
  forbidFragments,
  type Libc,
  loadLibc,
  setJoining,
} from "./libc.ts";
import { Messages, NAME_WORDS } from "./udp_messages.ts";
import { NameReader, NameWriter } from "./udp_names.ts";

/** Kernel buffers asked for, in bytes each way. */
const BUFFER_BYTES = 4 * 1024 * 1024;
/** Messages of one call. */
const SEND_MESSAGES = 64;
const RECEIVE_MESSAGES = 16;
/** Payload of one call of `sendmmsg`. */
const SEND_BYTES = 256 * 1024;
/** Room for one message received: the longest UDP payload there is (RFC 768). */
const RECEIVE_BYTES = 65_536;
/** `UDP_MAX_SEGMENTS` of older kernels, and the longest payload that both IP versions carry. */
const MAX_SEGMENTS = 64;
const MAX_RUN_BYTES = 65_000;
/** Datagrams of one `receiveBatch`, or a few more: then everything else gets its turn. */
const RECEIVE_DATAGRAMS = 128;
/** `MSG_DONTWAIT` of Linux. */
const DONT_WAIT = 0x40;
/** `MSG_PEEK`: leaves the datagram where it is. */
const PEEK = 0x02;
const NOTHING = new Uint8Array(0);
/** Runs in a row that the kernel refuses as one message but takes one by one, before it is not asked again. */
const MAX_SEGMENT_FAILURES = 8;

/**
 * Makes batches work on a socket of the runtime, which then belongs to the result. `undefined`, and the socket as it
 * was, where that is impossible: not Linux, native code not allowed. `libc` replaces the C library, for tests.
 */
export function openFfiSocket(
  socket: DatagramSocket,
  options: { readonly dontFragment: boolean; readonly libc?: Libc },
): BatchSocket | undefined {
  const libc = options.libc ?? loadLibc();
  const { addr } = socket;
  if (libc === undefined || addr.transport !== "udp") return undefined;
  const ip = ipToBytes(addr.hostname);
  if (ip === undefined) return undefined;
  const descriptor = duplicateSocket(libc, { host: ipFromBytes(ip), port: addr.port });
  if (descriptor === undefined) return undefined;
  enlargeBuffers(libc, descriptor.fd, BUFFER_BYTES);
  const dontFragment = options.dontFragment && forbidFragments(libc, descriptor);
  return new FfiSocket(socket, { libc, descriptor, dontFragment });
}

class FfiSocket implements BatchSocket {
  readonly addr: Deno.Addr;
  readonly dontFragment: boolean;
  readonly #libc: Libc;
  readonly #socket: DatagramSocket;
  readonly #fd: number;
  readonly #reader = new NameReader();
  readonly #writer: NameWriter;
  readonly #incoming = new Messages(RECEIVE_MESSAGES, RECEIVE_MESSAGES * RECEIVE_BYTES);
  readonly #outgoing = new Messages(SEND_MESSAGES, SEND_BYTES);
  /** Number of datagrams in each message of the current batch. */
  readonly #runs = new Uint8Array(SEND_MESSAGES);
  #segmenting: boolean;
  #segmentFailures = 0;
  #closed = false;

  constructor(
    socket: DatagramSocket,
    { libc, descriptor, dontFragment }: {
      readonly libc: Libc;
      readonly descriptor: Descriptor;
      readonly dontFragment: boolean;
    },
  ) {
    this.addr = socket.addr;
    this.dontFragment = dontFragment;
    this.#libc = libc;
    this.#socket = socket;
    this.#fd = descriptor.fd;
    this.#writer = new NameWriter(descriptor.family);
    this.#segmenting = canSegment(libc, descriptor.fd);
    for (let i = 0; i < RECEIVE_MESSAGES; i++) {
      this.#incoming.setPayload(i, i * RECEIVE_BYTES, RECEIVE_BYTES);
      this.#incoming.prepareReceive(i);
    }
  }

  receive(buffer?: Uint8Array): Promise<[Uint8Array, Deno.Addr]> {
    return this.#socket.receive(buffer);
  }

  send(data: Uint8Array, to: Deno.Addr): Promise<number> {
    return this.#socket.send(data, to);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    this.#libc.close(this.#fd);
  }

  startJoining(): void {
    if (!this.#closed) setJoining(this.#libc, this.#fd, true);
  }

  stopJoining(): boolean {
    if (this.#closed) return true;
    setJoining(this.#libc, this.#fd, false);
    // The kernel tells the size of joined datagrams only while it may join: without it they could not be split.
    if (this.#libc.recv(this.#fd, NOTHING, 0n, DONT_WAIT | PEEK) < 0) return true;
    setJoining(this.#libc, this.#fd, true);
    return false;
  }

  receiveBatch(sink: DatagramSink): number {
    const messages = this.#incoming;
    let total = 0;
    while (total < RECEIVE_DATAGRAMS && !this.#closed) {
      const count = this.#libc.recvmmsg(this.#fd, messages.headers, RECEIVE_MESSAGES, DONT_WAIT, null);
      for (let i = 0; i < count; i++) {
        total += this.#deliver(i, sink);
        messages.prepareReceive(i);
      }
      if (count < RECEIVE_MESSAGES) break;
    }
    return total;
  }

  /** Gives the datagrams of message `i` to `sink` and returns how many. */
  #deliver(i: number, sink: DatagramSink): number {
    const messages = this.#incoming;
    const start = i * RECEIVE_BYTES;
    const size = messages.received(i);
    const from = this.#reader.read(messages.names, i * NAME_WORDS);
    const data = messages.payload.subarray(start, start + size);
    const segment = messages.segment(i);
    if (segment === 0 || segment >= size) {
      sink(from, data);
      return 1;
    }
    let count = 0;
    for (let at = 0; at < size; at += segment, count++) sink(from, data.subarray(at, at + segment));
    return count;
  }

  sendBatch(transmits: readonly Transmit[], start: number): number {
    let done = start;
    while (done < transmits.length && !this.#closed) {
      const taken = this.#sendSome(transmits, done, this.#segmenting);
      if (taken === 0) break;
      done += taken;
    }
    return done - start;
  }

  /** One call of `sendmmsg`; returns the number of datagrams that the kernel took. */
  #sendSome(transmits: readonly Transmit[], start: number, segmenting: boolean): number {
    const messages = this.#fill(transmits, start, segmenting);
    if (messages === 0) return 0;
    const sent = this.#libc.sendmmsg(this.#fd, this.#outgoing.headers, messages, DONT_WAIT);
    let taken = 0;
    for (let i = 0; i < sent; i++) taken += this.#runs[i] ?? 0;
    const isRun = (this.#runs[0] ?? 0) > 1;
    if (taken > 0 && isRun) this.#segmentFailures = 0;
    if (taken > 0 || !isRun) return taken;
    // Not every network device can split messages; the same datagrams one by one show whether that was it.
    taken = this.#sendSome(transmits, start, false);
    if (taken > 0 && ++this.#segmentFailures >= MAX_SEGMENT_FAILURES) this.#segmenting = false;
    return taken;
  }

  /** Copies datagrams into messages, runs of equal ones into one each, and returns the number of messages. */
  #fill(transmits: readonly Transmit[], start: number, segmenting: boolean): number {
    const { payload, names } = this.#outgoing;
    let used = 0;
    let messages = 0;
    let next = start;
    while (next < transmits.length && messages < SEND_MESSAGES) {
      const first = transmits[next];
      if (first === undefined) break;
      const name = this.#writer.name(first.to);
      const segment = first.data.length;
      if (name === undefined || used + segment > SEND_BYTES) break;
      const runStart = used;
      let run = 0;
      for (let transmit: Transmit | undefined = first; transmit !== undefined; transmit = transmits[next]) {
        const { data, to } = transmit;
        const end = used + data.length;
        if (run > 0) {
          if (!segmenting || run === MAX_SEGMENTS || end > SEND_BYTES || end - runStart > MAX_RUN_BYTES) {
            break;
          }
          if (data.length > segment || data.length === 0 || this.#writer.name(to) !== name) break;
        }
        payload.set(data, used);
        used = end;
        run++;
        next++;
        // Only the last of a run may be shorter.
        if (data.length < segment) break;
      }
      names.set(name, messages * NAME_WORDS);
      this.#outgoing.setPayload(messages, runStart, used - runStart);
      this.#outgoing.prepareSend(messages, this.#writer.size, run > 1 ? segment : 0);
      this.#runs[messages] = run;
      messages++;
    }
    return messages;
  }
}
