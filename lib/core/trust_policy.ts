/**
 * Who may reach us: the one place that decides for every key exchange, SYN, datagram and ping.
 *
 * | peer | key exchange | port 444 | other ports, datagrams, pings |
 * | --- | --- | --- | --- |
 * | denied | no | no | no |
 * | any, we are public | yes | yes | yes |
 * | trusted | yes | yes | yes |
 * | awaited (we asked it for trust) | yes | yes | no |
 * | in the reply window (we dialled it) | yes | yes | no |
 * | the same, and it took the connection | yes | yes | reply ports only |
 * | stranger | no | no | no |
 *
 * "No" is silence: a stranger cannot tell a private node from nothing at all.
 */

import { PORT_HANDSHAKE } from "./constants.ts";
import type { Instant } from "./machine.ts";
import { REPLY_WINDOW_MS, REPLY_WINDOW_PEERS } from "./trust_constants.ts";

/** How a peer stands to us. */
export interface Standing {
  readonly denied: boolean;
  readonly trusted: boolean;
  /** We have asked it for trust and wait for the answer. */
  readonly awaited: boolean;
  /** We dialled it a moment ago. */
  readonly dialled: boolean;
  /** And it took the connection. */
  readonly answered: boolean;
  /** We are public. */
  readonly open: boolean;
}

/** Whether a peer may exchange keys with us. */
export function mayExchangeKeys(peer: Standing): boolean {
  if (peer.denied) return false;
  return peer.open || peer.trusted || peer.awaited || peer.dialled;
}

/** Whether a peer may open a stream to `port`, or send a datagram or ping there. */
export function admits(peer: Standing, port: number, replyPorts: ReadonlySet<number>): boolean {
  if (!mayExchangeKeys(peer)) return false;
  if (peer.open || peer.trusted || port === PORT_HANDSHAKE) return true;
  return peer.answered && replyPorts.has(port);
}

/** The peers that we dialled a moment ago; bounded, the one dialled longest ago makes room. */
export class ReplyWindow {
  readonly #entries = new Map<number, { readonly closes: Instant; readonly answered: boolean }>();

  /** Opens the window for `node`, or keeps it open. */
  note(node: number, now: Instant): void {
    const answered = this.isAnswered(node, now);
    this.#entries.delete(node);
    const oldest = this.#entries.size >= REPLY_WINDOW_PEERS ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(node, { closes: now + REPLY_WINDOW_MS, answered });
  }

  /** `node` took a connection that we dialled. Opens nothing by itself. */
  noteAnswer(node: number, now: Instant): void {
    const entry = this.#open(node, now);
    if (entry !== undefined) this.#entries.set(node, { ...entry, answered: true });
  }

  close(node: number): void {
    this.#entries.delete(node);
  }

  isOpen(node: number, now: Instant): boolean {
    return this.#open(node, now) !== undefined;
  }

  isAnswered(node: number, now: Instant): boolean {
    return this.#open(node, now)?.answered ?? false;
  }

  #open(node: number, now: Instant): { readonly closes: Instant; readonly answered: boolean } | undefined {
    const entry = this.#entries.get(node);
    if (entry === undefined || now < entry.closes) return entry;
    this.#entries.delete(node);
    return undefined;
  }
}
