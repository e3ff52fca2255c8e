/**
 * What the node wants to know from the registry: one request per question at a time, answers kept for a while.
 */

import { decodeBase64 } from "../wire/bytes.ts";
import { type Endpoint, parseEndpoint } from "../wire/endpoint.ts";
import type { RegistryReply, RegistryRequest } from "../wire/registry.ts";
import type { Instant } from "./machine.ts";

/** A request for the parent to execute: sign it, send it, report the answer under the same tag. */
export interface DeskRequest {
  readonly tag: string;
  readonly request: RegistryRequest;
}

/** An answer that concerns a peer. */
export type DeskAnswer =
  | {
    readonly type: "identity";
    readonly peer: number;
    readonly key: Uint8Array | undefined;
    readonly fresh: boolean;
  }
  | { readonly type: "endpoint"; readonly peer: number; readonly endpoint: Endpoint }
  /** The peer can be reached through the relay and in no other way. */
  | { readonly type: "relay_only"; readonly peer: number }
  /** The registry refused or does not know the peer; `reason` is its text, `undefined` when it could not be asked. */
  | { readonly type: "no_endpoint"; readonly peer: number; readonly reason: string | undefined }
  | { readonly type: "other"; readonly tag: string; readonly ok: boolean };

/** A key that was looked up is believed for this time, milliseconds. */
const IDENTITY_TTL_MS = 300_000;
/** A failed lookup is not repeated for this time, milliseconds. */
const NEGATIVE_TTL_MS = 3_000;
const CACHE_LIMIT = 4_096;
const IN_FLIGHT_LIMIT = 256;

/** Questions to the registry and a bounded cache of identity keys. */
export class RegistryDesk {
  readonly #self: () => number;
  readonly #inFlight = new Set<string>();
  readonly #requests: DeskRequest[] = [];
  readonly #identities = new Map<number, { key: Uint8Array | undefined; until: Instant }>();

  constructor(options: { readonly self: () => number }) {
    this.#self = options.self;
  }

  /** The identity key of `peer` if it was looked up lately. */
  identity(peer: number, now: Instant): Uint8Array | undefined {
    const entry = this.#identities.get(peer);
    return entry !== undefined && now < entry.until ? entry.key : undefined;
  }

  /** Asks for the identity key of `peer`; false when a lookup has just failed or too many are under way. */
  askIdentity(peer: number, now: Instant): boolean {
    const entry = this.#identities.get(peer);
    if (entry !== undefined && entry.key === undefined && now < entry.until) return false;
    return this.#ask(`identity:${peer}`, { type: "lookup", node_id: peer });
  }

  /** As `askIdentity`, whatever the cache says. */
  askFreshIdentity(peer: number): boolean {
    return this.#ask(`fresh:${peer}`, { type: "lookup", node_id: peer });
  }

  askEndpoint(peer: number): boolean {
    return this.#ask(`endpoint:${peer}`, { type: "resolve", node_id: peer, requester_id: this.#self() });
  }

  /** Any other request; its answer comes back as `other` under `tag`. */
  ask(tag: string, request: RegistryRequest): void {
    this.#requests.push({ tag: `other:${tag}`, request });
  }

  forgetIdentity(peer: number): void {
    this.#identities.delete(peer);
  }

  pollRequest(): DeskRequest | undefined {
    return this.#requests.shift();
  }

  /** The registry's answer to the request with `tag`; `undefined` when it could not be asked. */
  handleReply(tag: string, reply: RegistryReply | undefined, now: Instant): DeskAnswer | undefined {
    this.#inFlight.delete(tag);
    const colon = tag.indexOf(":");
    const kind = tag.slice(0, colon);
    const rest = tag.slice(colon + 1);
    if (kind === "other") {
      return { type: "other", tag: rest, ok: reply !== undefined && reply.type !== "error" };
    }
    const peer = Number(rest);
    if (kind === "endpoint") return endpointAnswer(peer, reply);
    const key = reply?.type === "lookup_ok" ? decodeBase64(reply.public_key) : undefined;
    const valid = key?.length === 32 ? key : undefined;
    this.#remember(peer, valid, now);
    return { type: "identity", peer, key: valid, fresh: kind === "fresh" };
  }

  #ask(tag: string, request: RegistryRequest): boolean {
    if (this.#inFlight.has(tag)) return true;
    if (this.#inFlight.size >= IN_FLIGHT_LIMIT) return false;
    this.#inFlight.add(tag);
    this.#requests.push({ tag, request });
    return true;
  }

  #remember(peer: number, key: Uint8Array | undefined, now: Instant): void {
    this.#identities.delete(peer);
    const oldest = this.#identities.size >= CACHE_LIMIT ? this.#identities.keys().next().value : undefined;
    if (oldest !== undefined) this.#identities.delete(oldest);
    this.#identities.set(peer, { key, until: now + (key === undefined ? NEGATIVE_TTL_MS : IDENTITY_TTL_MS) });
  }
}

function endpointAnswer(peer: number, reply: RegistryReply | undefined): DeskAnswer {
  if (reply?.type !== "resolve_ok") {
    return { type: "no_endpoint", peer, reason: reply?.type === "error" ? reply.error : undefined };
  }
  if (reply.relay_only === true) return { type: "relay_only", peer };
  const endpoint = parseEndpoint(reply.real_addr);
  if (endpoint === undefined || endpoint.port === 0) {
    return { type: "no_endpoint", peer, reason: "no usable endpoint" };
  }
  return { type: "endpoint", peer, endpoint };
}
