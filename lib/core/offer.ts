/** What a node offers to others of its kind beyond the public protocol, and what follows for both. */

import type { ExchangeOptionSet, TransportOption } from "../wire/exchange_options.ts";
import { agreeOn, FOREIGN_PROFILE, OWN_PROFILE, type TransportProfile } from "./stream/profile.ts";

/** One node's offer. */
export class Offer {
  /** What goes into its key exchanges. */
  readonly abilities: ExchangeOptionSet;
  readonly #profile: TransportProfile;

  /** `"public"` offers nothing. */
  constructor(profile: TransportProfile | "public" = OWN_PROFILE) {
    this.#profile = profile === "public" ? FOREIGN_PROFILE : profile;
    const isPublic = profile === "public";
    this.abilities = {
      transport: isPublic ? undefined : profile,
      noChecksum: true,
      candidates: !isPublic,
    };
  }

  /** The profile of streams with a peer that has offered `transport`, or nothing. */
  agree(transport: TransportOption | undefined): TransportProfile {
    return transport === undefined ? FOREIGN_PROFILE : agreeOn(this.#profile, transport);
  }
}
