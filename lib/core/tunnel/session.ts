/**
 * One shared secret with one peer: seals and opens packets, in the dialect the peer speaks.
 */

import type { AeadProvider } from "../../crypto/aead.ts";
import { type Aead, SealingKey } from "../../crypto/aead.ts";
import { deriveTunnelKey, type Dialect } from "../../crypto/exchange.ts";
import { ReplayWindows } from "../../crypto/replay.ts";
import type { ExchangeOptionSet } from "../../wire/exchange_options.ts";
import { HEADER_SIZE, type Packet, writePacket } from "../../wire/packet.ts";
import {
  NONCE_OFFSET,
  SEALED_HEAD,
  SEALED_OVERHEAD,
  senderBytes,
  TAG_SIZE,
  writeSealedHead,
} from "../../wire/tunnel.ts";
import type { Instant, RandomSource } from "../machine.ts";
import type { FrameSlab } from "./frame_slab.ts";

/** What a session is made of. */
export interface SessionOptions {
  readonly self: number;
  readonly peer: number;
  /** The X25519 public key of the peer that this session belongs to. */
  readonly peerKey: Uint8Array;
  readonly shared: Uint8Array;
  /** What holds with the peer by what it signed together with this key. */
  readonly peerOptions: ExchangeOptionSet;
  readonly aead: AeadProvider;
  /** Where frames are made. */
  readonly slab: FrameSlab;
  readonly random: RandomSource;
  readonly now: Instant;
  /**
   * Unix time in microseconds. Send counters start there: they never lie behind a replay window that a foreign peer
   * kept from an earlier session or that a forged frame moved.
   */
  readonly firstCounter: bigint;
  /** The dialect to send in until the peer has shown its own. */
  readonly dialect: Dialect;
}

/** The outcome of opening a frame. */
export type Opened = { readonly plaintext: Uint8Array } | "undecryptable" | "replay" | "exhausted";

/** The sealed part of a PILS frame. */
export interface SealedFrame {
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

const DIALECTS: readonly Dialect[] = ["current", "v0.5"];

/** Seals and opens under one shared secret. */
export class Session {
  readonly peerKey: Uint8Array;
  readonly peerOptions: ExchangeOptionSet;
  readonly createdAt: Instant;
  readonly #options: SessionOptions;
  #current: Aead | undefined;
  #old: Aead | undefined;
  readonly #windows = new ReplayWindows({ maxPrefixes: 4_096 });
  readonly #ownAad: Uint8Array;
  readonly #peerAad: Uint8Array;
  #sealing: SealingKey | undefined;
  /** Starts every nonce of ours. */
  #prefix: Uint8Array | undefined;
  #sendDialect: Dialect;
  /** The dialect of the frames that opened; none before the first. */
  #proven: Dialect | undefined;
  /** When a frame of the peer opened last. */
  lastOpened: Instant | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.peerKey = options.peerKey;
    this.peerOptions = options.peerOptions;
    this.createdAt = options.now;
    this.#sendDialect = options.dialect;
    this.#ownAad = senderBytes(options.self);
    this.#peerAad = senderBytes(options.peer);
  }

  /** Whether the peer has shown that it holds this secret. */
  get isProven(): boolean {
    return this.#proven !== undefined;
  }

  /** The dialect that the peer has proven to speak. */
  get dialect(): Dialect | undefined {
    return this.#proven;
  }

  /** Whether the send counter has run out and only a new key exchange helps. */
  get isExhausted(): boolean {
    return this.#sealing?.exhausted ?? false;
  }

  /**
   * A PILS frame around `packet`, made in one piece of memory: packet, then sealed in place. With `size` it is padded
   * to that many bytes; receivers ignore what follows a packet (Pilot Protocol).
   */
  seal(packet: Packet, size = 0): Uint8Array {
    this.#sealing ??= new SealingKey(this.#aead(this.#sendDialect), {
      prefix: this.#prefix ??= this.#noncePrefix(),
      counter: this.#options.firstCounter,
    });
    const { slab, self } = this.#options;
    const total = Math.max(SEALED_OVERHEAD + HEADER_SIZE + packet.payload.length, size);
    const start = slab.reserve(total);
    const { bytes, view } = slab;
    writeSealedHead(view, start, self);
    const offset = start + SEALED_HEAD;
    const length = writePacket(packet, { bytes, view, offset, checksum: !this.peerOptions.noChecksum });
    bytes.fill(0, offset + length, start + total - TAG_SIZE);
    const frame = bytes.subarray(start, start + total);
    const plaintext = bytes.subarray(offset, start + total - TAG_SIZE);
    const aad = this.#sendDialect === "current" ? this.#ownAad : NO_AAD;
    this.#sealing.sealInto(plaintext, aad, frame, NONCE_OFFSET);
    return frame;
  }

  /**
   * Opens a frame of the peer; state changes only when its tag is genuine and its counter new. With `inPlace` the
   * plaintext takes the place of the ciphertext, which is lost also when the frame does not open.
   */
  open(frame: SealedFrame, now: Instant, { inPlace }: { readonly inPlace: boolean }): Opened {
    // Both directions share one key: what carries our own nonce is our own frame, sent back by somebody.
    if (this.#isOwn(frame.nonce)) return "undecryptable";
    const proven = this.#proven;
    if (proven === undefined) return this.#openAny(frame, now);
    const { nonce, ciphertext } = frame;
    const aad = proven === "current" ? this.#peerAad : NO_AAD;
    const aead = this.#aead(proven);
    if (!inPlace) return this.#judge(frame, aead.open(nonce, ciphertext, aad), now);
    const plaintext = ciphertext.subarray(0, ciphertext.length - TAG_SIZE);
    const isGenuine = aead.openInto(nonce, ciphertext, aad, plaintext);
    return this.#judge(frame, isGenuine ? plaintext : undefined, now);
  }

  #isOwn(nonce: Uint8Array): boolean {
    const own = this.#prefix;
    return own !== undefined && nonce[0] === own[0] && nonce[1] === own[1] && nonce[2] === own[2] &&
      nonce[3] === own[3];
  }

  /** Finds out which dialect the peer speaks. */
  #openAny(frame: SealedFrame, now: Instant): Opened {
    for (const dialect of DIALECTS) {
      const aad = dialect === "current" ? this.#peerAad : NO_AAD;
      const plaintext = this.#aead(dialect).open(frame.nonce, frame.ciphertext, aad);
      const opened = this.#judge(frame, plaintext, now);
      if (opened === "undecryptable") continue;
      if (typeof opened !== "string") this.#pin(dialect);
      return opened;
    }
    return "undecryptable";
  }

  #judge({ nonce }: SealedFrame, plaintext: Uint8Array | undefined, now: Instant): Opened {
    if (plaintext === undefined) return "undecryptable";
    const verdict = this.#windows.judge(nonce);
    if (verdict === "prefixes-exhausted") return "exhausted";
    if (verdict !== "fresh") return "replay";
    this.#windows.mark(nonce);
    this.lastOpened = now;
    return { plaintext };
  }

  #pin(dialect: Dialect): void {
    this.#proven = dialect;
    if (dialect === this.#sendDialect) return;
    this.#sendDialect = dialect;
    this.#sealing = undefined;
  }

  #aead(dialect: Dialect): Aead {
    if (dialect === "current") return this.#current ??= this.#create(dialect);
    return this.#old ??= this.#create(dialect);
  }

  #create(dialect: Dialect): Aead {
    return this.#options.aead.create(deriveTunnelKey(this.#options.shared, dialect));
  }

  /**
   * A random prefix whose top bit tells the two ends apart: both directions share one key, so the prefixes of two of
   * our nodes must never meet.
   */
  #noncePrefix(): Uint8Array {
    const prefix = this.#options.random(new Uint8Array(4));
    const top = (prefix[0] ?? 0) & 0x7f;
    prefix[0] = this.#options.self > this.#options.peer ? top | 0x80 : top;
    return prefix;
  }
}

const NO_AAD = new Uint8Array(0);
