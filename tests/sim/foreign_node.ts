/**
 * A node of the public network, as far as its tunnel goes: one X25519 key per process, one dialect, an answer to a
 * PILA only when it brings news, a refusal of every PILK, a counter that starts at 1 after every PILA.
 */

import { nobleAead } from "../../lib/crypto/aead.ts";
import {
  deriveTunnelKey,
  type Dialect,
  type ExchangeKey,
  generateExchangeKey,
  sharedSecret,
} from "../../lib/crypto/exchange.ts";
import { generateIdentity, type Identity, sign } from "../../lib/crypto/identity.ts";
import type { Machine, Transmit } from "../../lib/core/machine.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { concatBytes, encodeBase64, equalBytes } from "../../lib/wire/bytes.ts";
import { decodePacket, encodePacket, type Packet } from "../../lib/wire/packet.ts";
import {
  decodeFrame,
  encodeAuthenticated,
  encodeSealed,
  exchangeSignedBytes,
  senderBytes,
} from "../../lib/wire/tunnel.ts";
import type { SimHost, SimSocket } from "./net.ts";
import type { World } from "./world.ts";

const EMPTY = new Uint8Array(0);

/** A reference-like node. */
export class ForeignNode implements Machine<never> {
  readonly identity: Identity;
  readonly host: SimHost;
  readonly packets: Packet[] = [];
  /** Kinds of the frames that arrived, oldest first. */
  readonly frames: string[] = [];
  id = 0;
  undecryptable = 0;
  readonly #world: World;
  readonly #dialect: Dialect;
  readonly #own: ExchangeKey;
  readonly #socket: SimSocket<never>;
  readonly #out: Transmit[] = [];
  readonly #sessions = new Map<number, { peerKey: Uint8Array; prefix: Uint8Array; counter: bigint }>();

  constructor(world: World, options: { readonly dialect: Dialect; readonly ip: string }) {
    this.#world = world;
    this.#dialect = options.dialect;
    this.identity = generateIdentity(world.random.bytes);
    this.#own = generateExchangeKey(world.random.bytes);
    this.host = world.net.addHost(`foreign-${options.ip}`, { ip: options.ip });
    this.#socket = this.host.attach<never>(this, 4000);
  }

  /** Registers as a public node, without any of our extensions. */
  register(): void {
    const from = { host: this.host.ip, port: 5_000 };
    const now = 1_800_000_000_000 + this.#world.net.now;
    const reply = this.#world.directory.handle(
      {
        type: "register",
        public_key: encodeBase64(this.identity.publicKey),
        listen_addr: ":4000",
      },
      from,
      now,
    );
    if (reply.type !== "register_ok") throw new Error("not registered");
    this.id = reply.node_id;
    const text = new TextEncoder().encode(`set_visibility:${this.id}`);
    const signature = encodeBase64(sign(this.identity, text));
    this.#world.directory.handle(
      { type: "set_visibility", node_id: this.id, public: true, signature },
      from,
      now,
    );
  }

  /** Sends a PILA, without a trailer. */
  sendExchange(to: Endpoint): void {
    this.#out.push({ to, data: this.#exchange() });
    this.#socket.touch();
  }

  /** Seals and sends a packet. */
  sendPacket(peer: number, to: Endpoint, packet: Omit<Packet, "version" | "source" | "destination">): void {
    const session = this.#sessions.get(peer);
    if (session === undefined) throw new Error("no session");
    session.counter++;
    const counter = new Uint8Array(8);
    new DataView(counter.buffer).setBigUint64(0, session.counter);
    const nonce = concatBytes(session.prefix, counter);
    const plaintext = encodePacket({
      version: 1,
      source: { network: 0, node: this.id },
      destination: { network: 0, node: peer },
      ...packet,
    });
    const aad = this.#dialect === "current" ? senderBytes(this.id) : EMPTY;
    const ciphertext = this.#aead(session.peerKey).seal(nonce, plaintext, aad);
    this.#out.push({ to, data: encodeSealed({ sender: this.id, nonce, ciphertext }) });
    this.#socket.touch();
  }

  hasSession(peer: number): boolean {
    return this.#sessions.has(peer);
  }

  handleDatagram(from: Endpoint, data: Uint8Array): void {
    const frame = decodeFrame(data);
    if (typeof frame === "string") return;
    this.frames.push(frame.kind);
    if (frame.kind === "authenticated") {
      const known = this.#sessions.get(frame.sender);
      const isNews = known === undefined || !equalBytes(known.peerKey, frame.exchangeKey);
      this.#sessions.set(frame.sender, {
        peerKey: frame.exchangeKey.slice(),
        prefix: this.#world.random.bytes(new Uint8Array(4)),
        counter: 0n,
      });
      if (isNews) this.#out.push({ to: from, data: this.#exchange() });
    } else if (frame.kind === "unauthenticated") {
      this.#out.push({ to: from, data: this.#exchange() });
    } else if (frame.kind === "sealed") {
      const session = this.#sessions.get(frame.sender);
      const aad = this.#dialect === "current" ? senderBytes(frame.sender) : EMPTY;
      const plaintext = session === undefined
        ? undefined
        : this.#aead(session.peerKey).open(frame.nonce, frame.ciphertext, aad);
      const packet = plaintext === undefined ? "short" : decodePacket(plaintext);
      if (typeof packet === "string") this.undecryptable++;
      else this.packets.push(packet);
    }
  }

  handleTimeout(): void {}

  pollTransmit(): Transmit | undefined {
    return this.#out.shift();
  }

  pollTimeout(): undefined {
    return undefined;
  }

  pollEvent(): undefined {
    return undefined;
  }

  #exchange(): Uint8Array {
    return encodeAuthenticated({
      sender: this.id,
      exchangeKey: this.#own.publicKey,
      identityKey: this.identity.publicKey,
      signature: sign(this.identity, exchangeSignedBytes(this.id, this.#own.publicKey)),
    });
  }

  #aead(peerKey: Uint8Array) {
    const shared = sharedSecret(this.#own, peerKey);
    if (shared === undefined) throw new Error("low order key");
    return nobleAead.create(deriveTunnelKey(shared, this.#dialect));
  }
}
