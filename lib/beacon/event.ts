/** What a beacon wants done on the connections of sessions, in order. */
export type BeaconEvent =
  /** Sends one datagram. */
  | { readonly type: "frame"; readonly session: number; readonly data: Uint8Array }
  /** Closes the connection: the node has logged in on another. */
  | { readonly type: "replaced"; readonly session: number };
