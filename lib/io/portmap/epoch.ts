/**
 * Whether a gateway forgot its mappings, told by the seconds that it counts since it last lost its state.
 *
 * A gateway that restarted counts from zero, so its counter falls behind where it should be by now.
 */

import type { Instant } from "../../core/machine.ts";

/** Judges two readings of the counter: both clocks in seconds. `true` when the state was lost in between. */
export type EpochRule = (clientSecs: number, serverSecs: number, serverBefore: number) => boolean;

/** RFC 6887 section 8.5: the clocks may differ by a sixteenth and two seconds, and step back by one. */
export const PCP_EPOCH: EpochRule = (client, server, before) => {
  if (server + 1 < before) return true;
  const elapsed = server - before;
  return client + 2 < elapsed - elapsed / 16 || elapsed + 2 < client - client / 16;
};

/** RFC 6886 section 3.6: the server's clock may be slow by an eighth, and two seconds behind. */
export const NAT_PMP_EPOCH: EpochRule = (client, server, before) => server < before + (client * 7) / 8 - 2;

/** The counter of one gateway, and whether a mapping outlived it. */
export class Epoch {
  readonly #rule: EpochRule;
  #last: { readonly serverSecs: number; readonly at: Instant } | undefined;
  #lost = false;

  constructor(rule: EpochRule) {
    this.#rule = rule;
  }

  /** Whether the gateway lost its state since `renewed` was called last. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Takes a reading, seconds. */
  observe(serverSecs: number, now: Instant): void {
    const last = this.#last;
    this.#last = { serverSecs, at: now };
    if (last === undefined) return;
    this.#lost ||= this.#rule((now - last.at) / 1000, serverSecs, last.serverSecs);
  }

  /** The gateway has granted the mapping again. */
  renewed(): void {
    this.#lost = false;
  }
}
