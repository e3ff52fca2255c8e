/**
 * One shared secret with one peer: seals and opens packets, in the dialect the peer speaks.
 */

import type { AeadProvider } from "../../crypto/aead.ts";
import { type Aead, SealingKey } from "../../crypto/aead.ts";
import { deriveTunnelKey, type Dialect } from "../../crypto/exchange.ts";
import { ReplayWindows } from "../../crypto/replay.ts";
import { encodeSealed, senderBytes } from "../../wire/tunnel.ts";
import type { Instant, RandomSource } from "../machine.ts";

/** What a session is made of. */
export interface SessionOptions {
  readonly self: number;
  readonly peer: number;
  /** The X25519 public key of the peer that this session belongs to. */
  readonly peerKey: Uint8Array;
  readonly shared: Uint8Array;
  readonly aead: AeadProvider;
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
  readonly createdAt: Instant;
  readonly #options: SessionOptions;
  readonly #aeads = new Map<Dialect, Aead>();
  readonly #windows = new ReplayWindows({ maxPrefixes: 4_096 });
  readonly #ownAad: Uint8Array;
  readonly #peerAad: Uint8Array;
  #sealing: SealingKey | undefined;
  #sendDialect: Dialect;
  /** The dialect of the frames that opened; none before the first. */
  #proven: Dialect | undefined;
  /** When a frame of the peer opened last. */
  lastOpened: Instant | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.peerKey = options.peerKey;
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

  /** A PILS frame around `packet`. */
  seal(packet: Uint8Array): Uint8Array {
    this.#sealing ??= new SealingKey(this.#aead(this.#sendDialect), {
      prefix: this.#noncePrefix(),
      counter: this.#options.firstCounter,
    });
    const aad = this.#sendDialect === "current" ? this.#ownAad : NO_AAD;
    const { nonce, ciphertext } = this.#sealing.seal(packet, aad);
    return encodeSealed({ sender: this.#options.self, nonce, ciphertext });
  }

  /** Opens a frame of the peer; state changes only when its tag is genuine and its counter new. */
  open(frame: SealedFrame, now: Instant): Opened {
    for (const dialect of this.#proven === undefined ? DIALECTS : [this.#proven]) {
      const aad = dialect === "current" ? this.#peerAad : NO_AAD;
      const plaintext = this.#aead(dialect).open(frame.nonce, frame.ciphertext, aad);
      if (plaintext === undefined) continue;
      const verdict = this.#windows.judge(frame.nonce);
      if (verdict === "prefixes-exhausted") return "exhausted";
      if (verdict !== "fresh") return "replay";
      this.#windows.mark(frame.nonce);
      this.#pin(dialect);
      this.lastOpened = now;
      return { plaintext };
    }
    return "undecryptable";
  }

  #pin(dialect: Dialect): void {
    this.#proven = dialect;
    if (dialect === this.#sendDialect) return;
    this.#sendDialect = dialect;
    this.#sealing = undefined;
  }

  #aead(dialect: Dialect): Aead {
    let aead = this.#aeads.get(dialect);
    if (aead === undefined) {
      aead = this.#options.aead.create(deriveTunnelKey(this.#options.shared, dialect));
      this.#aeads.set(dialect, aead);
    }
    return aead;
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
