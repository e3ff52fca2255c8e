/**
 * How many segments the peer takes.
 */

import type { TransportProfile } from "./profile.ts";

/** The window that a peer advertises, bounded by what it can hold out of order. */
export class PeerWindow {
  /** Segments; `undefined` until it advertised any. */
  segments: number | undefined;
  #profile: TransportProfile;

  constructor(profile: TransportProfile) {
    this.#profile = profile;
  }

  setProfile(profile: TransportProfile): void {
    this.#profile = profile;
  }

  get isClosed(): boolean {
    return this.segments === 0;
  }

  /** Segments that may be outstanding. */
  get limit(): number {
    const { outOfOrder } = this.#profile;
    return this.segments === undefined ? outOfOrder : Math.min(outOfOrder, this.segments);
  }

  /** The segments that a window field stands for. */
  scale(field: number): number {
    return field << this.#profile.windowShift;
  }

  /** Takes the window field of a SYN or SYN+ACK. */
  open(field: number): void {
    if (field > 0) this.segments = field;
  }

  /**
   * Takes the window field of another packet. It counts once the peer has ever advertised a window; an old node's
   * keep-alive carries 0 without meaning it. Returns whether a closed window opened.
   */
  update(field: number, was: { readonly isNew: boolean; readonly hadOutstanding: boolean }): boolean {
    const segments = this.scale(field);
    const isOpening = this.segments === 0 && segments > 0;
    const isMeant = segments > 0 || (this.segments !== undefined && (was.isNew || was.hadOutstanding));
    if (isMeant) this.segments = segments;
    return isOpening;
  }
}
