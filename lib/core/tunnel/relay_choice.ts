/**
 * Through which beacons the relayed frames of one peer go.
 *
 * A beacon that answers us need not reach the peer. One that frames of the peer come by does, most likely; one that
 * brought back the answer to a probe does for certain. While nothing is known, and while the peer stays silent, frames
 * go through all of them.
 */

import { type Endpoint, sameEndpoint } from "../../wire/endpoint.ts";
import type { Relay } from "../beacons.ts";
import type { Instant } from "../machine.ts";
import { RELAY, type Route } from "./route.ts";

/**
 * Traffic that comes by another beacon for this long, and by ours no more, is followed there, milliseconds. The two ends
 * differ in patience, so that they do not follow each other across.
 */
const PATIENCE_MS = { first: 300, second: 800 } as const;
const MAX_PATIENCE_MS = 60_000;
/** The best beacon takes over when it is this much faster all the way to the peer: a share of the time ... */
const SWITCH_GAIN = 0.7;
/** ... and at least this, milliseconds. */
const SWITCH_GAIN_MS = 5;

/** What is known when a frame of the peer has opened. */
export interface Hearing {
  readonly relays: readonly Relay[];
  /** Whether the peer had been silent. */
  readonly wasSilent: boolean;
  /** Whether the frame carried more than a probe or its answer. */
  readonly isTraffic: boolean;
  readonly now: Instant;
}

/** The same probe sent by two beacons, and when the answers came. */
interface Race {
  readonly token: number;
  readonly sentAt: Instant;
  readonly rival: Endpoint;
  chosenMs: number;
  rivalMs: number;
}

/** The relays to one peer. */
export class RelayChoice {
  #chosen: Endpoint | undefined;
  /** Where traffic comes from instead. */
  #other: { readonly beacon: Endpoint; readonly since: Instant } | undefined;
  #patience: number;
  #race: Race | undefined;

  /** `isFirst` must hold at one end and not at the other. */
  constructor(options: { readonly isFirst: boolean }) {
    this.#patience = options.isFirst ? PATIENCE_MS.first : PATIENCE_MS.second;
  }

  /** The beacons for the next frame, of those that are usable, the best first; `undefined` for all of them. */
  choose(relays: readonly Relay[], options: { readonly isSilent: boolean }): readonly Endpoint[] | undefined {
    const chosen = this.#chosen;
    if (chosen === undefined || options.isSilent) return undefined;
    const at = rank(relays, chosen);
    if (at < 0) return undefined;
    if (relays[at]?.isDoubtful !== true) return [chosen];
    const other = relays[at === 0 ? 1 : 0];
    return other === undefined ? [chosen] : [chosen, other.endpoint];
  }

  /** A frame of the peer opened that `beacon` brought. */
  noteHeard(beacon: Endpoint, { relays, wasSilent, isTraffic, now }: Hearing): void {
    const chosen = this.#chosen;
    if (chosen === undefined || wasSilent || rank(relays, chosen) < 0) return this.#take(beacon);
    if (!isTraffic) return;
    if (sameEndpoint(beacon, chosen)) this.#other = undefined;
    else if (this.#other === undefined || !sameEndpoint(beacon, this.#other.beacon)) {
      this.#other = { beacon, since: now };
    } else if (now - this.#other.since >= this.#patience) {
      this.#patience = Math.min(2 * this.#patience, MAX_PATIENCE_MS);
      this.#take(beacon);
    }
  }

  /** The routes of a probe of the relay: the one in use, and beside it the best beacon when that is another one. */
  probe(token: number, relays: readonly Relay[], now: Instant): readonly Route[] {
    const race = this.#race;
    if (race !== undefined && isFaster(race.rivalMs, race.chosenMs) && rank(relays, race.rival) === 0) {
      this.#take(race.rival);
    }
    this.#race = undefined;
    const [best] = relays;
    const chosen = this.#chosen;
    if (best === undefined || chosen === undefined || sameEndpoint(best.endpoint, chosen)) return [RELAY];
    this.#race = { token, sentAt: now, rival: best.endpoint, chosenMs: Infinity, rivalMs: Infinity };
    return [RELAY, { kind: "relay", beacon: best.endpoint }];
  }

  /** The answer to a probe came by `beacon`. */
  handleAnswer(token: number, beacon: Endpoint, now: Instant): void {
    const race = this.#race;
    if (race?.token !== token) return;
    if (sameEndpoint(beacon, race.rival)) race.rivalMs = Math.min(race.rivalMs, now - race.sentAt);
    else race.chosenMs = Math.min(race.chosenMs, now - race.sentAt);
  }

  #take(beacon: Endpoint): void {
    this.#chosen = beacon;
    this.#other = undefined;
    this.#race = undefined;
  }
}

function rank(relays: readonly Relay[], beacon: Endpoint): number {
  return relays.findIndex(({ endpoint }) => sameEndpoint(endpoint, beacon));
}

function isFaster(ms: number, than: number): boolean {
  return ms < Math.min(SWITCH_GAIN * than, than - SWITCH_GAIN_MS);
}
