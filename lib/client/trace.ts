/** What an agent measures on the paths to a peer, typed. */

import type { Fields } from "./fields.ts";

/** The round trips on one path: sealed probes that the peer's agent answers on the path they came by. */
export interface ClientTracePath {
  readonly kind: string;
  readonly endpoint: string;
  readonly in_use: boolean;
  readonly sent: number;
  /** One round-trip time per answer, milliseconds. */
  readonly rtts_ms: readonly number[];
}

/** One measurement. */
export interface ClientTrace {
  readonly node_id: number;
  /** What sealing one probe and handing it to the socket took on average, milliseconds. */
  readonly seal_ms: number | null;
  readonly paths: readonly ClientTracePath[];
}

/** Reads the answer to `Trace`. */
export function readTrace(reply: Fields): ClientTrace {
  return {
    node_id: reply.number("node_id"),
    seal_ms: reply.numberOrNull("seal_ms"),
    paths: reply.objects("paths").map((path) => ({
      kind: path.text("kind"),
      endpoint: path.text("endpoint"),
      in_use: path.flag("in_use"),
      sent: path.number("sent"),
      rtts_ms: path.numbersOf("rtts_ms"),
    })),
  };
}
