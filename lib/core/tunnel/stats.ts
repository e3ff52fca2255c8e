/**
 * Plain numbers about the tunnels: what went through, what was thrown away and why.
 */

/** Counters of all tunnels of one node, datagrams and bytes as on the UDP socket. */
export class TunnelStats {
  bytesSent = 0;
  packetsSent = 0;
  bytesReceived = 0;
  packetsReceived = 0;
  readonly #drops = new Map<string, number>();
  readonly #counts = new Map<string, number>();

  sent(bytes: number): void {
    this.bytesSent += bytes;
    this.packetsSent++;
  }

  received(bytes: number): void {
    this.bytesReceived += bytes;
    this.packetsReceived++;
  }

  /** One datagram thrown away. `reason` comes from the code, never from the network. */
  drop(reason: string): void {
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1);
  }

  count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  counted(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Datagrams thrown away, by reason. */
  drops(): Record<string, number> {
    return Object.fromEntries(this.#drops);
  }
}
