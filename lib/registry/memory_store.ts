/** A store that forgets: for simulations and tests. */

import type { InboxItem, NameRecord, NodeRecord, Store, TrustRecord } from "./store.ts";

/** Keeps everything in maps. A transaction is not taken back when its body throws. */
export class MemoryStore implements Store {
  readonly #nodes = new Map<number, NodeRecord>();
  readonly #keys = new Map<string, number>();
  readonly #owners = new Map<string, number>();
  readonly #revoked = new Set<string>();
  readonly #names = new Map<string, NameRecord>();
  readonly #nameOf = new Map<number, string>();
  readonly #trust = new Map<number, Map<number, TrustRecord>>();
  readonly #inbox = new Map<number, InboxItem[]>();
  #next: number | undefined;
  #sequence = 0;

  transaction<T>(body: () => T): T {
    return body();
  }

  node(id: number): NodeRecord | undefined {
    return this.#nodes.get(id);
  }

  nodeByKey(publicKey: string): NodeRecord | undefined {
    return this.#nodes.get(this.#keys.get(publicKey) ?? 0);
  }

  nodeByOwner(owner: string): NodeRecord | undefined {
    return this.#nodes.get(this.#owners.get(owner) ?? 0);
  }

  putNode(record: NodeRecord): void {
    const old = this.#nodes.get(record.id);
    if (old !== undefined) {
      this.#keys.delete(old.publicKey);
      this.#owners.delete(old.owner);
    }
    this.#nodes.set(record.id, record);
    this.#keys.set(record.publicKey, record.id);
    if (record.owner !== "") this.#owners.set(record.owner, record.id);
  }

  touchNode(id: number, lastSeen: number): void {
    const record = this.#nodes.get(id);
    if (record !== undefined) this.#nodes.set(id, { ...record, lastSeen });
  }

  staleNodes(lastSeen: number): readonly NodeRecord[] {
    return [...this.#nodes.values()].filter((record) => record.live && record.lastSeen < lastSeen);
  }

  countLive(): number {
    let count = 0;
    for (const record of this.#nodes.values()) if (record.live) count++;
    return count;
  }

  nextNode(): number | undefined {
    return this.#next;
  }

  setNextNode(id: number): void {
    this.#next = id;
  }

  isRevoked(publicKey: string): boolean {
    return this.#revoked.has(publicKey);
  }

  revokeKey(publicKey: string, _node: number): void {
    this.#revoked.add(publicKey);
  }

  name(hostname: string): NameRecord | undefined {
    return this.#names.get(hostname);
  }

  nameOf(node: number): NameRecord | undefined {
    return this.#names.get(this.#nameOf.get(node) ?? "");
  }

  putName(record: NameRecord): void {
    const former = this.#nameOf.get(record.node);
    if (former !== undefined) this.removeName(former);
    this.removeName(record.hostname);
    this.#names.set(record.hostname, record);
    this.#nameOf.set(record.node, record.hostname);
  }

  removeName(hostname: string): void {
    const record = this.#names.get(hostname);
    if (record === undefined) return;
    this.#names.delete(hostname);
    this.#nameOf.delete(record.node);
  }

  trust(node: number, peer: number): TrustRecord | undefined {
    return this.#trust.get(node)?.get(peer);
  }

  putTrust(record: TrustRecord): void {
    const peers = this.#trust.get(record.node) ?? new Map<number, TrustRecord>();
    this.#trust.set(record.node, peers.set(record.peer, record));
  }

  countTrust(node: number): number {
    return this.#trust.get(node)?.size ?? 0;
  }

  inbox(node: number): readonly InboxItem[] {
    return [...(this.#inbox.get(node) ?? [])];
  }

  putInbox(item: Omit<InboxItem, "sequence">): number {
    const sequence = ++this.#sequence;
    const items = this.#inbox.get(item.node) ?? [];
    items.push({ sequence, ...item });
    this.#inbox.set(item.node, items);
    return sequence;
  }

  removeInbox(node: number, sequences: readonly number[]): void {
    this.#keep(node, (item) => !sequences.includes(item.sequence));
  }

  expireInbox(at: number): void {
    for (const node of this.#inbox.keys()) this.#keep(node, (item) => item.at >= at);
  }

  #keep(node: number, wanted: (item: InboxItem) => boolean): void {
    const kept = (this.#inbox.get(node) ?? []).filter(wanted);
    if (kept.length === 0) this.#inbox.delete(node);
    else this.#inbox.set(node, kept);
  }
}
