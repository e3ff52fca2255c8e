/** Who a node is at the moment, as all of its parts see it. */

import type { Address } from "../wire/address.ts";
import type { Instant } from "./machine.ts";
import type { NatBehaviour } from "./nat/behaviour.ts";

/** Who a node is at the moment. */
export class NodeSelf {
  /** Whether strangers may reach this node. */
  isPublic: boolean;
  /** What is known of the NAT in front of this node, in place of what its examination finds. */
  givenNat: NatBehaviour | undefined;
  /** The time of what is being handled. */
  now: Instant = 0;
  #address: Address;

  constructor(options: { readonly node?: number; readonly isPublic?: boolean }) {
    this.#address = { network: 0, node: options.node ?? 0 };
    this.isPublic = options.isPublic ?? false;
  }

  /** The address in the backbone network; its node id is 0 before registration. */
  get address(): Address {
    return this.#address;
  }

  /** The node id, 0 before registration. */
  get node(): number {
    return this.#address.node;
  }

  set node(node: number) {
    this.#address = { network: 0, node };
  }
}
