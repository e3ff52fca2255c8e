/**
 * What a registry remembers, and how it asks for it.
 *
 * Records are values: `put` replaces a record as a whole, nothing that was handed out changes later.
 */

/** One identity: a number that belongs to a key for ever. */
export interface NodeRecord {
  readonly id: number;
  /** Ed25519 public key, canonical base64. */
  readonly publicKey: string;
  /** Recovery text given at registration, empty for none. Never shown to anybody. */
  readonly owner: string;
  /** Whether the node counts as registered now. A record that is not live is dormant: its key still owns the id. */
  readonly live: boolean;
  /** `host:port` that peers are told: the source address of the registration with the announced port. */
  readonly endpoint: string;
  /** `host:port` as announced by the node itself under its signature, empty when it never signed. */
  readonly announced: string;
  /** Addresses on the node's own network, announced under its signature. */
  readonly lanAddresses: readonly string[];
  /** The node wants to be reached through the relay only. */
  readonly relayOnly: boolean;
  /** Unix milliseconds of the last registration, heartbeat or key rotation. */
  readonly lastSeen: number;
  /** Registered with a valid signature at least once; from then on an unsigned registration is refused. */
  readonly signed: boolean;
  /** The endpoint may be told to anybody. */
  readonly public: boolean;
  readonly tags: readonly string[];
  readonly taskExec: boolean;
  readonly score: number;
}

/** A name and the node it belongs to. A node has at most one, in use or reserved. */
export interface NameRecord {
  readonly hostname: string;
  readonly node: number;
  /** Unix milliseconds until which the name is kept for a node that has gone; `undefined` while it is in use. */
  readonly reservedUntil: number | undefined;
}

/** How one node stands to another: it asked through the relay, it trusts, or it took its trust back. */
export type TrustState = "asked" | "asserted" | "revoked";

/** One direction of a trust relation. */
export interface TrustRecord {
  readonly node: number;
  readonly peer: number;
  readonly state: TrustState;
  /** Unix milliseconds of the last change. */
  readonly at: number;
}

/** A handshake message that waits for its target. */
export type InboxMessage =
  | { readonly kind: "request"; readonly from: number; readonly justification: string }
  | { readonly kind: "response"; readonly from: number; readonly accept: boolean };

/** A message in the inbox of `node`. */
export interface InboxItem {
  /** Grows with every message that this registry ever kept. */
  readonly sequence: number;
  readonly node: number;
  readonly message: InboxMessage;
  /** Unix milliseconds. */
  readonly at: number;
}

/**
 * Synchronous storage. Lookups return `undefined` for nothing. A write is durable when the outermost `transaction`
 * returns; an exception inside takes all its writes back where the store can (the memory store cannot).
 */
export interface Store {
  transaction<T>(body: () => T): T;

  node(id: number): NodeRecord | undefined;
  nodeByKey(publicKey: string): NodeRecord | undefined;
  nodeByOwner(owner: string): NodeRecord | undefined;
  putNode(record: NodeRecord): void;
  /** Sets `lastSeen` only: what heartbeats do, many times a minute. */
  touchNode(id: number, lastSeen: number): void;
  /** Live nodes last seen before `lastSeen`, Unix milliseconds. */
  staleNodes(lastSeen: number): readonly NodeRecord[];
  countLive(): number;

  /** The number that the next new node gets; `undefined` in a fresh store. */
  nextNode(): number | undefined;
  setNextNode(id: number): void;

  /** Whether a key was replaced by rotation and may not come back. */
  isRevoked(publicKey: string): boolean;
  revokeKey(publicKey: string, node: number): void;

  name(hostname: string): NameRecord | undefined;
  nameOf(node: number): NameRecord | undefined;
  /** Replaces whatever the node and the name had before. */
  putName(record: NameRecord): void;
  removeName(hostname: string): void;

  trust(node: number, peer: number): TrustRecord | undefined;
  putTrust(record: TrustRecord): void;
  /** Relations that start at `node`, in any state. */
  countTrust(node: number): number;

  /** Oldest first. */
  inbox(node: number): readonly InboxItem[];
  /** Appends, and returns the sequence number. */
  putInbox(item: Omit<InboxItem, "sequence">): number;
  removeInbox(node: number, sequences: readonly number[]): void;
  /** Removes everything queued before `at`, Unix milliseconds. */
  expireInbox(at: number): void;
}
