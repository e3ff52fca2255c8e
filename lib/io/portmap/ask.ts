/**
 * One question to the gateway by UDP, asked again until it answers.
 */

import { type Endpoint, ipFromBytes, ipToBytes } from "../../wire/endpoint.ts";
import { pause } from "../pause.ts";

/**
 * Milliseconds to wait after each sending: the first steps of RFC 6886 section 3.1, which goes on doubling up to 64 s.
 * An agent that starts up has better things to do, and tries again later as a whole.
 */
export const RETRANSMIT_MS: readonly number[] = [250, 500, 1_000];

/** A question. */
export interface Question<Answer> {
  /** Address of this computer to ask from. */
  readonly from: string;
  /** Where to ask; the host may carry a zone, as in `fe80::1%eth0`. */
  readonly to: readonly Endpoint[];
  /** Datagrams that ask, one as good as the other. */
  readonly data: readonly Uint8Array[];
  /** Only datagrams of this address are looked at; with `port`, only of this port. */
  readonly answersFrom: { readonly host: string; readonly port: number | undefined };
  /** Reads an answer; `undefined` for what is none, which is ignored. */
  readonly read: (data: Uint8Array) => Answer | undefined;
  /** Milliseconds to wait after each sending; the end of the last one is the end. */
  readonly delays: readonly number[];
  readonly signal: AbortSignal;
}

/**
 * Asks until an answer is accepted. `no-answer` after the delays or on abort, `unreachable` when nothing could
 * be sent. A fresh socket, hence a random port, makes forged answers guesswork for whoever cannot see the question.
 */
export async function ask<Answer>(question: Question<Answer>): Promise<Answer | "no-answer" | "unreachable"> {
  if (question.signal.aborted) return "no-answer";
  let socket: Deno.DatagramConn;
  try {
    socket = Deno.listenDatagram({ transport: "udp", hostname: question.from, port: 0 });
  } catch {
    return "unreachable";
  }
  const done = new AbortController();
  const until = AbortSignal.any([question.signal, done.signal]);
  try {
    const answer = receive(socket, question).finally(() => done.abort());
    const sent = await transmit(socket, question, until);
    if (!done.signal.aborted) socket.close();
    return await answer ?? (sent ? "no-answer" : "unreachable");
  } finally {
    closeQuietly(socket);
  }
}

async function transmit<Answer>(
  socket: Deno.DatagramConn,
  { to, data, delays }: Question<Answer>,
  until: AbortSignal,
): Promise<boolean> {
  let sent = false;
  for (const delay of delays) {
    for (const { host: hostname, port } of to) {
      for (const datagram of data) {
        try {
          await socket.send(datagram, { transport: "udp", hostname, port });
          sent = true;
        } catch {
          // The network may come up until the next try.
        }
      }
    }
    await pause(delay, until);
    if (until.aborted) break;
  }
  return sent;
}

async function receive<Answer>(
  socket: Deno.DatagramConn,
  { answersFrom, read }: Question<Answer>,
): Promise<Answer | undefined> {
  const host = withoutZone(answersFrom.host);
  for (;;) {
    try {
      const [data, from] = await socket.receive(new Uint8Array(2048));
      if (from.transport !== "udp" || withoutZone(from.hostname) !== host) continue;
      if (answersFrom.port !== undefined && from.port !== answersFrom.port) continue;
      const answer = read(data);
      if (answer !== undefined) return answer;
    } catch (error) {
      // A refusal of the port (ICMP) of an earlier datagram ends nothing, a closed socket does.
      if (!(error instanceof Deno.errors.ConnectionRefused)) return undefined;
    }
  }
}

/** The canonical text of an address, the zone cut off. */
export function withoutZone(host: string): string {
  const [address = ""] = host.split("%");
  const bytes = ipToBytes(address);
  return bytes === undefined ? address : ipFromBytes(bytes);
}

function closeQuietly(socket: Deno.DatagramConn): void {
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}
