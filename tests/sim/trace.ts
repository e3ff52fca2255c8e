/**
 * What happened to every datagram of a simulated world: one line each, written when it arrived or was dropped.
 */

import { formatEndpoint } from "../../lib/wire/endpoint.ts";
import { describeDatagram } from "../../lib/wire/pretty.ts";
import type { Flight } from "./flight.ts";

/** The lines, and a hash over the lines and the bytes of all datagrams. */
export class Trace {
  readonly lines: string[] = [];
  readonly #enabled: boolean;
  #low = 0x811c9dc5;
  #high = 0x9dc5811c;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  /** Notes the end of a datagram. `fate` is empty for a delivery, else why and where it was dropped. */
  note(flight: Flight, now: number, fate: string): void {
    if (!this.#enabled) return;
    const line = describeFlight(flight, now, fate);
    this.lines.push(line);
    for (let i = 0; i < line.length; i++) this.#fold(line.charCodeAt(i));
    for (const byte of flight.data) this.#fold(byte);
  }

  /** Sixteen hex digits; equal traces have equal hashes. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low);
  }

  /** Two runs of the 32-bit FNV-1a function with different offsets; good for comparing, not against forgers. */
  #fold(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193);
    this.#high = Math.imul(this.#high ^ (value + 0x5b), 0x01000193);
  }
}

function describeFlight(flight: Flight, now: number, fate: string): string {
  const local = formatEndpoint(flight.local);
  const seen = formatEndpoint(flight.source);
  const via = local === seen ? "" : ` seen ${seen}`;
  const end = fate === "" ? "" : ` DROPPED ${fate}`;
  const took = (now - flight.sentAt).toFixed(3);
  return `${now.toFixed(3).padStart(10)} +${took} ${flight.origin} ${local} > ${
    formatEndpoint(flight.destination)
  }${via}${end} | ${describeDatagram(flight.data)}`;
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
