/** Hostnames of nodes, as the registry has told them. */

import { formatAddress } from "../../lib/wire/address.ts";
import type { RegistryReply } from "../../lib/wire/registry.ts";

/** Names remembered; beyond, the oldest goes. */
const MAX_NAMES = 4_096;

/** Remembers hostnames. */
export class NameMemory {
  readonly #isTrusted: (node: number) => boolean;
  readonly #names = new Map<number, string>();

  constructor(isTrusted: (node: number) => boolean) {
    this.#isTrusted = isTrusted;
  }

  /** All names by node id. */
  get all(): ReadonlyMap<number, string> {
    return this.#names;
  }

  /** The name of a node as a field, none when it is not known. */
  field(node: number): { readonly hostname?: string } {
    const hostname = this.#names.get(node);
    return hostname === undefined ? {} : { hostname };
  }

  /** Learns from what the registry has answered. */
  noteReply(reply: RegistryReply): void {
    if (reply.type !== "resolve_hostname_ok" && reply.type !== "lookup_ok") return;
    if (reply.hostname !== undefined) this.#learn(reply.node_id, reply.hostname);
  }

  /** What the registry would say of the name of a trusted peer, as far as is known. */
  resolve(hostname: string): RegistryReply | undefined {
    for (const [node_id, name] of this.#names) {
      if (name !== hostname || !this.#isTrusted(node_id)) continue;
      const address = formatAddress({ network: 0, node: node_id });
      return { type: "resolve_hostname_ok", node_id, address, public: false, hostname };
    }
    return undefined;
  }

  #learn(node: number, hostname: string): void {
    const oldest = this.#names.size >= MAX_NAMES ? this.#names.keys().next().value : undefined;
    if (oldest !== undefined) this.#names.delete(oldest);
    this.#names.set(node, hostname);
  }
}
