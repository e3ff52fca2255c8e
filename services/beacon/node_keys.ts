/**
 * Whether somebody is the node that he says: his signature, and the registry's word that the key is the node's.
 */

import { verify } from "../../lib/crypto/identity.ts";
import { RegistryClient } from "../../lib/io/registry_client.ts";
import { decodeBase64, encodeUtf8, equalBytes } from "../../lib/wire/bytes.ts";
import { type CompatChallenge, compatProof, type CompatReply } from "../../lib/wire/compat.ts";

/** A key is believed for this time, milliseconds; and for longer while the registry is away. */
const KEY_TTL_MS = 300_000;
/** The registry is not asked again about a node that fails for this time, milliseconds. */
const NEGATIVE_TTL_MS = 3_000;
const MAX_KEYS = 20_000;
/** Questions that may wait for the registry. */
const MAX_WAITING = 256;

/** Why a login is refused. `isOurs`: it may be right, and cannot be judged now. */
export interface LoginRefusal {
  readonly reason: string;
  readonly isOurs: boolean;
}

interface Entry {
  readonly key: Uint8Array | undefined;
  readonly at: number;
}

/** The keys of nodes, as the registry has them. */
export class NodeKeys {
  readonly #client: RegistryClient;
  readonly #known = new Map<number, Entry>();
  readonly #asking = new Map<number, Promise<Entry | undefined>>();

  constructor(registry: { readonly host: string; readonly port: number }) {
    this.#client = new RegistryClient({ address: registry });
  }

  /** Why the answer to a challenge is not taken, `undefined` when it is. */
  async refusal(reply: CompatReply, challenge: CompatChallenge): Promise<LoginRefusal | undefined> {
    const { node, publicKey, signature } = reply;
    // First what costs nothing but a moment: whoever cannot sign makes us ask nobody.
    if (!verify(publicKey, encodeUtf8(compatProof(node, challenge)), signature)) {
      return { reason: "the signature is wrong", isOurs: false };
    }
    const known = this.#known.get(node);
    const isFresh = known !== undefined && performance.now() - known.at < ttlOf(known);
    if (isFresh && known.key !== undefined && equalBytes(known.key, publicKey)) return undefined;
    // A key that differs may be a new one, unless the registry has just been asked.
    const isJustAsked = known !== undefined && performance.now() - known.at < NEGATIVE_TTL_MS;
    const entry = isJustAsked ? known : await this.#ask(node) ?? known;
    if (entry === undefined) return { reason: "the registry cannot be asked", isOurs: true };
    if (entry.key !== undefined && equalBytes(entry.key, publicKey)) return undefined;
    return { reason: "the key is not that of the node", isOurs: false };
  }

  /** Hangs up. */
  close(): void {
    this.#client.close();
  }

  /** What the registry says, `undefined` when it does not answer. */
  #ask(node: number): Promise<Entry | undefined> {
    const asking = this.#asking.get(node);
    if (asking !== undefined) return asking;
    if (this.#asking.size >= MAX_WAITING) return Promise.resolve(undefined);
    const answer = this.#lookup(node).finally(() => this.#asking.delete(node));
    this.#asking.set(node, answer);
    return answer;
  }

  async #lookup(node: number): Promise<Entry | undefined> {
    try {
      const reply = await this.#client.request({ type: "lookup", node_id: node });
      const key = reply.type === "lookup_ok" ? decodeBase64(reply.public_key) : undefined;
      const entry = { key: key?.length === 32 ? key : undefined, at: performance.now() };
      this.#known.delete(node);
      const oldest = this.#known.size >= MAX_KEYS ? this.#known.keys().next().value : undefined;
      if (oldest !== undefined) this.#known.delete(oldest);
      this.#known.set(node, entry);
      return entry;
    } catch {
      return undefined;
    }
  }
}

function ttlOf(entry: Entry): number {
  return entry.key === undefined ? NEGATIVE_TTL_MS : KEY_TTL_MS;
}
