/**
 * Options of the exchange trailer: what a node of our kind can do beyond the public protocol.
 *
 * ```text
 * type 1 | length 2 | value
 *   1  transport, 11 bytes: largest segment 2 | out-of-order segments 4 | window in segments 4 | window shift 1
 *   2  no checksum, 0 bytes: a virtual packet inside a sealed frame may come with a checksum of zero, which is none
 *   3  candidates, 0 bytes: takes the messages of `candidates.ts`
 * ```
 *
 * Readers skip types they do not know and surplus bytes of those they do. Integers are big-endian.
 */

import { MAX_UINT16, MAX_UINT32, requireUint, viewOf } from "./uint.ts";

const OptionType = { TRANSPORT: 1, NO_CHECKSUM: 2, CANDIDATES: 3 } as const;
const HEAD_SIZE = 3;
const TRANSPORT_SIZE = 11;
/** As for TCP (RFC 7323 section 2.3). */
const MAX_WINDOW_SHIFT = 14;

/** What a node can take on a stream. */
export interface TransportOption {
  /** Largest segment payload that it takes, bytes. */
  readonly segmentSize: number;
  /** Segments it holds out of order. */
  readonly outOfOrder: number;
  /** Largest window it advertises, segments. */
  readonly windowSegments: number;
  /** The advertised window is in units of `2 ** windowShift` segments, except on SYN. */
  readonly windowShift: number;
}

/** The options of one trailer. */
export interface ExchangeOptionSet {
  /** `undefined` when the node promises no more than the public protocol. */
  readonly transport: TransportOption | undefined;
  /** Whether packets to this node may leave out their checksum inside a sealed frame. */
  readonly noChecksum: boolean;
  /** Whether the node exchanges candidates. */
  readonly candidates: boolean;
}

/** The options of a node that says nothing. */
export const NO_EXCHANGE_OPTIONS: ExchangeOptionSet = {
  transport: undefined,
  noChecksum: false,
  candidates: false,
};

/** The bytes of a set of options. @throws RangeError when a field does not fit */
export function encodeExchangeOptions(options: ExchangeOptionSet): Uint8Array<ArrayBuffer> {
  const { transport, noChecksum, candidates } = options;
  const size = (transport === undefined ? 0 : HEAD_SIZE + TRANSPORT_SIZE) +
    HEAD_SIZE * (Number(noChecksum) + Number(candidates));
  const bytes = new Uint8Array(size);
  const view = viewOf(bytes);
  let offset = 0;
  if (transport !== undefined) {
    requireUint("largest segment", transport.segmentSize, MAX_UINT16);
    requireUint("out-of-order segments", transport.outOfOrder, MAX_UINT32);
    requireUint("window", transport.windowSegments, MAX_UINT32);
    requireUint("window shift", transport.windowShift, MAX_WINDOW_SHIFT);
    view.setUint8(0, OptionType.TRANSPORT);
    view.setUint16(1, TRANSPORT_SIZE);
    view.setUint16(3, transport.segmentSize);
    view.setUint32(5, transport.outOfOrder);
    view.setUint32(9, transport.windowSegments);
    view.setUint8(13, transport.windowShift);
    offset = HEAD_SIZE + TRANSPORT_SIZE;
  }
  if (noChecksum) {
    view.setUint8(offset, OptionType.NO_CHECKSUM);
    offset += HEAD_SIZE;
  }
  if (candidates) view.setUint8(offset, OptionType.CANDIDATES);
  return bytes;
}

/** Reads options; what is cut off or makes no sense counts as not said. */
export function decodeExchangeOptions(bytes: Uint8Array): ExchangeOptionSet {
  const view = viewOf(bytes);
  let transport: TransportOption | undefined;
  let noChecksum = false;
  let candidates = false;
  for (let offset = 0; offset + HEAD_SIZE <= bytes.length;) {
    const type = view.getUint8(offset);
    const start = offset + HEAD_SIZE;
    const end = start + view.getUint16(offset + 1);
    if (end > bytes.length) break;
    if (type === OptionType.TRANSPORT && end - start >= TRANSPORT_SIZE) {
      transport ??= readTransport(view, start);
    } else if (type === OptionType.NO_CHECKSUM) noChecksum = true;
    else if (type === OptionType.CANDIDATES) candidates = true;
    offset = end;
  }
  return { transport, noChecksum, candidates };
}

function readTransport(view: DataView, offset: number): TransportOption | undefined {
  const option = {
    segmentSize: view.getUint16(offset),
    outOfOrder: view.getUint32(offset + 2),
    windowSegments: view.getUint32(offset + 6),
    windowShift: view.getUint8(offset + 10),
  };
  const isUsable = option.segmentSize > 0 && option.outOfOrder > 0 && option.windowSegments > 0 &&
    option.windowShift <= MAX_WINDOW_SHIFT;
  return isUsable ? option : undefined;
}
