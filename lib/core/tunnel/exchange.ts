/**
 * Key exchange frames: making our own, judging those of others.
 */

import type { ExchangeKey } from "../../crypto/exchange.ts";
import { type Identity, sign, verify } from "../../crypto/identity.ts";
import {
  decodeTrailer,
  encodeTrailer,
  encodeTrailerBody,
  type ExchangeTrailer,
  trailerSignedBytes,
} from "../../wire/exchange_trailer.ts";
import {
  decodeExchangeOptions,
  encodeExchangeOptions,
  type ExchangeOptionSet,
  NO_EXCHANGE_OPTIONS,
} from "../../wire/exchange_options.ts";
import { encodeAuthenticated, exchangeSignedBytes, type Frame } from "../../wire/tunnel.ts";

/** A PILA as parsed from the wire. */
export type ExchangeFrame = Extract<Frame, { kind: "authenticated" }>;

/** The frame in memory of its own, to keep longer than the datagram it came in. */
export function ownExchange(frame: ExchangeFrame): ExchangeFrame {
  return {
    ...frame,
    exchangeKey: frame.exchangeKey.slice(),
    identityKey: frame.identityKey.slice(),
    signature: frame.signature.slice(),
    trailer: frame.trailer.slice(),
  };
}

/** A PILA that its sender really signed. `trailer` is there when the sender is one of our kind. */
export interface VerifiedExchange {
  readonly exchangeKey: Uint8Array;
  readonly trailer: ExchangeTrailer | undefined;
  /** What the sender says it can do; nothing without a trailer. */
  readonly options: ExchangeOptionSet;
}

/** A signed PILA with our trailer for `receiver`. `time` is Unix milliseconds, `abilities` what we can do. */
export function makeExchange(
  own: { readonly node: number; readonly identity: Identity; readonly key: ExchangeKey },
  options: {
    readonly receiver: number;
    readonly answer: boolean;
    readonly time: number;
    readonly abilities: ExchangeOptionSet;
  },
): Uint8Array {
  const exchange = { sender: own.node, exchangeKey: own.key.publicKey, identityKey: own.identity.publicKey };
  const body = encodeTrailerBody({ ...options, options: encodeExchangeOptions(options.abilities) });
  return encodeAuthenticated({
    ...exchange,
    signature: sign(own.identity, exchangeSignedBytes(own.node, own.key.publicKey)),
    trailer: encodeTrailer(body, sign(own.identity, trailerSignedBytes(exchange, body))),
  });
}

/**
 * Checks the signatures of a PILA whose identity key has been compared with the expected one.
 *
 * A broken or foreign trailer counts as none. One that names another receiver is a replay of something said to
 * somebody else.
 */
export function verifyExchange(
  frame: ExchangeFrame,
  self: number,
): VerifiedExchange | "signature" | "receiver" {
  if (!verify(frame.identityKey, frame.signed, frame.signature)) return "signature";
  const trailer = decodeTrailer(frame.trailer);
  if (typeof trailer === "string") {
    return { exchangeKey: frame.exchangeKey, trailer: undefined, options: NO_EXCHANGE_OPTIONS };
  }
  if (!verify(frame.identityKey, trailerSignedBytes(frame, trailer.body), trailer.signature)) {
    return "signature";
  }
  if (trailer.receiver !== self) return "receiver";
  return { exchangeKey: frame.exchangeKey, trailer, options: decodeExchangeOptions(trailer.options) };
}

/** What holds with a peer that says it can do `theirs`, when we say that we can do `ours`. */
export function commonOptions(ours: ExchangeOptionSet, theirs: ExchangeOptionSet): ExchangeOptionSet {
  const candidates = ours.candidates && theirs.candidates;
  if (ours.transport === undefined || theirs.transport === undefined) {
    return { ...theirs, candidates, transport: undefined };
  }
  const segmentSize = Math.min(ours.transport.segmentSize, theirs.transport.segmentSize);
  return { ...theirs, candidates, transport: { ...theirs.transport, segmentSize } };
}
