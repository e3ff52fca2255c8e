/** Notices that the network broke or changed, and starts over with it. */

import type { Instant } from "./machine.ts";
import type { NodeParts } from "./node_parts.ts";
import { NodeWatchdog } from "./node_watchdog.ts";
import { Recovery, type RecoveryReason } from "./recovery.ts";
import { earlier } from "./timers.ts";

/** Looks after the way out of one node. */
export class NetworkCare {
  readonly #parts: Pick<NodeParts, "beacon" | "tunnels" | "events">;
  readonly #watchdog = new NodeWatchdog();
  readonly #recovery = new Recovery();
  /** Whether no beacon answers. */
  #isCutOff = false;

  constructor(parts: Pick<NodeParts, "beacon" | "tunnels" | "events">) {
    this.#parts = parts;
  }

  /** Asks to start over; `startOver` does it when it is time. */
  request(reason: RecoveryReason): void {
    this.#recovery.request(reason);
  }

  /** One of the beacons answers, or none does any more. */
  noteBeacon(reachable: boolean): void {
    if (reachable && this.#isCutOff) this.#recovery.request("beacon");
    this.#isCutOff = !reachable;
  }

  /** A datagram leaves. */
  noteSent(now: Instant): void {
    this.#watchdog.noteSent(now);
  }

  /** Something arrived that only a peer or a beacon can have sent. */
  noteReceived(): void {
    this.#watchdog.noteReceived();
  }

  handleTimeout(now: Instant): void {
    const step = this.#watchdog.handleTimeout(now);
    if (step === "ask") this.#parts.beacon.check(now);
    else if (step === "recover") this.#recovery.request("silence");
  }

  pollTimeout(): Instant | undefined {
    return earlier(this.#watchdog.pollTimeout(), this.#recovery.pollTimeout());
  }

  /** Starts over with the network, if it is time: beacons first, then peers, and the program around looks after the rest. */
  startOver(now: Instant): void {
    const reason = this.#recovery.poll(now);
    if (reason === undefined) return;
    const { beacon, tunnels, events } = this.#parts;
    beacon.announce(now);
    tunnels.recover(this.#recovery.awakeAt, now);
    events.push({ type: "recovering", reason });
  }
}
