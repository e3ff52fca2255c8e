/**
 * The states of a stream and every legal move between them.
 *
 * ```text
 *   connect                                   accept
 *      |                                        |
 *  SYN_SENT --established--> ESTABLISHED <--established-- SYN_RECV
 *                             |        |
 *                     fin_sent|        |peer_finished
 *                             v        v
 *   FIN_WAIT (unacknowledged)            CLOSE_WAIT
 *      |            |peer_finished          |fin_sent
 *      |            +-------> CLOSING <-----+
 *      |fin_acknowledged         |fin_acknowledged
 *      v                         v
 *   FIN_WAIT (acknowledged) --peer_finished--> TIME_WAIT --expired--> CLOSED
 * ```
 *
 * A fatal event leads from every state to CLOSED. As in RFC 9293 a stream may be closed in one direction and go on
 * in the other; CLOSING also stands for the LAST-ACK of that document.
 */

/** Why a stream is over. */
export type CloseReason =
  /** Both directions ended in order. */
  | "done"
  /** Nobody listens at the peer, or it had no room. */
  | "refused"
  /** The peer broke the connection off, or does not know it any more. */
  | "reset"
  /** No answer to the attempt to connect. */
  | "timeout"
  /** Data was never acknowledged. */
  | "unreachable"
  /** Nothing was heard of the peer for too long. */
  | "idle"
  /** This side broke the connection off. */
  | "aborted";

/** The state of a stream with what only this state knows. */
export type State =
  | { readonly name: "SYN_SENT" }
  | { readonly name: "SYN_RECV" }
  | { readonly name: "ESTABLISHED" }
  | { readonly name: "FIN_WAIT"; readonly acknowledged: boolean }
  | { readonly name: "CLOSE_WAIT" }
  | { readonly name: "CLOSING" }
  | { readonly name: "TIME_WAIT" }
  | { readonly name: "CLOSED"; readonly reason: CloseReason };

/** The name of a {@linkcode State}. */
export type StateName = State["name"];

/** What moves a stream from state to state. */
export type StateInput =
  | { readonly type: "established" }
  | { readonly type: "fin_sent" }
  | { readonly type: "fin_acknowledged" }
  | { readonly type: "peer_finished" }
  | { readonly type: "expired" }
  | { readonly type: "fatal"; readonly reason: CloseReason };

/** The state after `input`, `undefined` when that cannot happen in `state`. */
export function transition(state: State, input: StateInput): State | undefined {
  if (input.type === "fatal") {
    return state.name === "CLOSED" ? undefined : { name: "CLOSED", reason: input.reason };
  }
  switch (state.name) {
    case "SYN_SENT":
    case "SYN_RECV":
      return input.type === "established" ? { name: "ESTABLISHED" } : undefined;
    case "ESTABLISHED":
      if (input.type === "fin_sent") return { name: "FIN_WAIT", acknowledged: false };
      return input.type === "peer_finished" ? { name: "CLOSE_WAIT" } : undefined;
    case "FIN_WAIT":
      if (input.type === "peer_finished") return { name: state.acknowledged ? "TIME_WAIT" : "CLOSING" };
      return input.type === "fin_acknowledged" && !state.acknowledged
        ? { name: "FIN_WAIT", acknowledged: true }
        : undefined;
    case "CLOSE_WAIT":
      return input.type === "fin_sent" ? { name: "CLOSING" } : undefined;
    case "CLOSING":
      return input.type === "fin_acknowledged" ? { name: "TIME_WAIT" } : undefined;
    case "TIME_WAIT":
      return input.type === "expired" ? { name: "CLOSED", reason: "done" } : undefined;
    case "CLOSED":
      return undefined;
  }
}

/** Whether the application may still write in this state, given it did not ask for the end. */
export function maySend(state: State): boolean {
  return state.name === "ESTABLISHED" || state.name === "CLOSE_WAIT";
}

/** Whether data of the peer may still arrive in this state. */
export function mayReceive(state: State): boolean {
  return state.name === "ESTABLISHED" || state.name === "FIN_WAIT";
}

/** Whether the peer's end was taken in. */
export function peerIsFinished(state: State): boolean {
  return state.name === "CLOSE_WAIT" || state.name === "CLOSING" || state.name === "TIME_WAIT";
}

/** Whether the first two packets of the handshake are not yet followed by the third. */
export function isOpening(state: State): boolean {
  return state.name === "SYN_SENT" || state.name === "SYN_RECV";
}

/** The name shown to operators: one of the public set, which has no CLOSING. */
export function displayName(state: State): Exclude<StateName, "CLOSING"> {
  return state.name === "CLOSING" ? "FIN_WAIT" : state.name;
}
