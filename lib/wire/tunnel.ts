/**
 * Frames on the tunnel socket: a four-letter magic, then
 *
 * ```text
 * PILT  packet                                                        in clear
 * PILS  sender 4 | nonce 12: prefix 4, counter 8 | ciphertext, tag 16  encrypted packet
 * PILK  sender 4 | X25519 key 32                                      unauthenticated key exchange
 * PILA  sender 4 | X25519 key 32 | Ed25519 key 32 | signature 64 | trailer
 * PILP  trailer                                                       opens a NAT mapping
 * ```
 *
 * The signature of PILA covers `auth`, the sender and the X25519 key. Surplus bytes are ignored by every peer, which
 * leaves room for trailers.
 */

import { concatBytes } from "./bytes.ts";
import { HEADER_SIZE } from "./packet.ts";
import { requireLength, uint32Bytes } from "./uint.ts";

/** Bytes of the nonce inside a sealed frame. */
export const NONCE_SIZE = 12;
/** Bytes of the AES-GCM tag at the end of a sealed frame. */
export const TAG_SIZE = 16;
/** Bytes of public keys, both X25519 and Ed25519. */
export const KEY_SIZE = 32;
/** Bytes of an Ed25519 signature. */
export const SIGNATURE_SIZE = 64;
/** Where the nonce of a sealed frame begins; the ciphertext follows it. */
export const NONCE_OFFSET = 8;
/** Bytes of a sealed frame before the ciphertext. */
export const SEALED_HEAD = NONCE_OFFSET + NONCE_SIZE;
/** Bytes a sealed frame adds to the packet in it. */
export const SEALED_OVERHEAD = SEALED_HEAD + TAG_SIZE;

/** The leading four bytes of each frame, as a big-endian number. */
const Magic = {
  PLAIN: 0x50494c54,
  SEALED: 0x50494c53,
  UNAUTHENTICATED: 0x50494c4b,
  AUTHENTICATED: 0x50494c41,
  PUNCH: 0x50494c50,
} as const;

const SIGNED_LABEL = 0x61757468; // "auth"
const EMPTY = new Uint8Array(0);

/** An encrypted packet. `ciphertext` ends with the tag; the clear `sender` selects the key. */
export interface SealedFrame {
  readonly kind: "sealed";
  readonly sender: number;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** A packet in clear. */
export interface PlainFrame {
  readonly kind: "plain";
  readonly packet: Uint8Array;
}

/** A signed key exchange. `signed` are the 40 bytes that `signature` covers. */
export interface AuthenticatedFrame {
  readonly kind: "authenticated";
  readonly sender: number;
  readonly exchangeKey: Uint8Array;
  readonly identityKey: Uint8Array;
  readonly signature: Uint8Array;
  readonly trailer: Uint8Array;
  readonly signed: Uint8Array;
}

/** A key exchange that proves nothing: useful only as a request to send a signed one. */
export interface UnauthenticatedFrame {
  readonly kind: "unauthenticated";
  readonly sender: number;
  readonly exchangeKey: Uint8Array;
}

/** A datagram that only opens a NAT mapping. */
export interface PunchFrame {
  readonly kind: "punch";
  readonly trailer: Uint8Array;
}

/** Any tunnel frame. */
export type Frame = SealedFrame | PlainFrame | AuthenticatedFrame | UnauthenticatedFrame | PunchFrame;

/** Reads a frame; byte fields are views of `data`. */
export function decodeFrame(data: Uint8Array): Frame | "short" | "magic" {
  if (data.length < 4) return "short";
  switch (uint32At(data, 0)) {
    case Magic.SEALED:
      if (data.length < SEALED_OVERHEAD) return "short";
      return {
        kind: "sealed",
        sender: uint32At(data, 4),
        nonce: data.subarray(NONCE_OFFSET, SEALED_HEAD),
        ciphertext: data.subarray(SEALED_HEAD),
      };
    case Magic.PLAIN:
      if (data.length < 4 + HEADER_SIZE) return "short";
      return { kind: "plain", packet: data.subarray(4) };
    case Magic.AUTHENTICATED: {
      if (data.length < 136) return "short";
      const sender = uint32At(data, 4);
      const exchangeKey = data.subarray(8, 40);
      return {
        kind: "authenticated",
        sender,
        exchangeKey,
        identityKey: data.subarray(40, 72),
        signature: data.subarray(72, 136),
        trailer: data.subarray(136),
        signed: exchangeSignedBytes(sender, exchangeKey),
      };
    }
    case Magic.UNAUTHENTICATED:
      if (data.length < 40) return "short";
      return { kind: "unauthenticated", sender: uint32At(data, 4), exchangeKey: data.subarray(8, 40) };
    case Magic.PUNCH:
      return { kind: "punch", trailer: data.subarray(4) };
    default:
      return "magic";
  }
}

/** A PILS frame. @throws RangeError when a field does not fit */
export function encodeSealed(frame: Omit<SealedFrame, "kind">): Uint8Array<ArrayBuffer> {
  requireLength("nonce", frame.nonce, NONCE_SIZE);
  if (frame.ciphertext.length < TAG_SIZE) throw new RangeError("a ciphertext ends with a tag of 16 bytes");
  return concatBytes(head(Magic.SEALED, frame.sender), frame.nonce, frame.ciphertext);
}

/** Writes the magic and the sender of a PILS frame, the 8 bytes before its nonce. */
export function writeSealedHead(view: DataView, offset: number, sender: number): void {
  view.setUint32(offset, Magic.SEALED);
  view.setUint32(offset + 4, sender);
}

/** A PILT frame. */
export function encodePlain(packet: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(uint32Bytes(Magic.PLAIN), packet);
}

/** A PILA frame, 136 bytes and the trailer. @throws RangeError when a field does not fit */
export function encodeAuthenticated(
  frame: Omit<AuthenticatedFrame, "kind" | "trailer" | "signed"> & { readonly trailer?: Uint8Array },
): Uint8Array<ArrayBuffer> {
  requireLength("exchange key", frame.exchangeKey, KEY_SIZE);
  requireLength("identity key", frame.identityKey, KEY_SIZE);
  requireLength("signature", frame.signature, SIGNATURE_SIZE);
  return concatBytes(
    head(Magic.AUTHENTICATED, frame.sender),
    frame.exchangeKey,
    frame.identityKey,
    frame.signature,
    frame.trailer ?? EMPTY,
  );
}

/** A PILK frame, 40 bytes. @throws RangeError when a field does not fit */
export function encodeUnauthenticated(frame: Omit<UnauthenticatedFrame, "kind">): Uint8Array<ArrayBuffer> {
  requireLength("exchange key", frame.exchangeKey, KEY_SIZE);
  return concatBytes(head(Magic.UNAUTHENTICATED, frame.sender), frame.exchangeKey);
}

/** A PILP frame. */
export function encodePunch(trailer: Uint8Array = EMPTY): Uint8Array<ArrayBuffer> {
  return concatBytes(uint32Bytes(Magic.PUNCH), trailer);
}

/** The 40 bytes that a PILA signature covers: `auth`, sender, X25519 key. @throws RangeError */
export function exchangeSignedBytes(sender: number, exchangeKey: Uint8Array): Uint8Array<ArrayBuffer> {
  requireLength("exchange key", exchangeKey, KEY_SIZE);
  return concatBytes(head(SIGNED_LABEL, sender), exchangeKey);
}

/** A node ID as four bytes: the associated data of sealed frames. @throws RangeError */
export function senderBytes(node: number): Uint8Array<ArrayBuffer> {
  return uint32Bytes(node);
}

/** Whether a datagram on the tunnel socket belongs to the beacon protocol rather than to a peer. */
export function isBeaconDatagram(data: Uint8Array): boolean {
  return data.length > 0 && (data[0] ?? 0) < 0x10;
}

function head(magic: number, sender: number): Uint8Array {
  return concatBytes(uint32Bytes(magic), senderBytes(sender));
}

/** Four bytes as a number. For every frame received, and cheaper than a view of it. */
function uint32At(data: Uint8Array, offset: number): number {
  const high = ((data[offset] ?? 0) << 8) | (data[offset + 1] ?? 0);
  const low = ((data[offset + 2] ?? 0) << 8) | (data[offset + 3] ?? 0);
  return ((high << 16) | low) >>> 0;
}
