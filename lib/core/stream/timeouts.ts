/**
 * What the passing of time does to a stream.
 */

import type { Instant } from "../machine.ts";
import type { StreamCore, TimerName } from "./core.ts";
import { earlier } from "./deadlines.ts";

/** When {@linkcode handleTimeouts} has something to do, `undefined` for never. */
export function nextTimeout(core: StreamCore): Instant | undefined {
  const earliest = core.timers.next();
  if (core.state.name === "CLOSED") return earliest;
  const sending = core.maySendData ? core.send.deadline : undefined;
  const watching = core.isWatched ? core.liveness.deadline : undefined;
  return earlier(earlier(earliest, core.acks.deadline), earlier(sending, watching));
}

/** Does what is due. */
export function handleTimeouts(core: StreamCore, now: Instant): void {
  for (let name = core.timers.popDue(now); name !== undefined; name = core.timers.popDue(now)) {
    expire(core, name, now);
  }
  if (core.state.name === "CLOSED") return;
  core.acks.handleTimeout(now);
  if (core.maySendData && core.send.handleTimeout(now) !== undefined) {
    return core.fail("unreachable", { tellPeer: true });
  }
  if (core.isWatched) watch(core, now);
}

/** Sends a SYN or SYN+ACK, the first one or again. */
export function sendHandshake(core: StreamCore, now: Instant): void {
  const { opening, outbox } = core;
  const distance = core.isPassive ? opening.nextSynAck() : opening.nextSyn();
  if (distance === undefined) return core.fail("timeout", { tellPeer: false });
  core.timers.set("handshake", now + distance);
  opening.noteSent(now);
  if (!core.isPassive) return outbox.pushSyn(core.first);
  // An old node ignores a SYN+ACK once it has one, but confirms a byte that it acknowledged before.
  if (core.isForeign && opening.isRepeated) outbox.pushProbe();
  outbox.pushSynAck(core.first, core.peerFirst);
}

function expire(core: StreamCore, name: TimerName, now: Instant): void {
  switch (name) {
    case "handshake":
      return sendHandshake(core, now);
    case "embryonic":
      return core.fail("timeout", { tellPeer: true });
    case "fin":
      return expireFin(core, now);
    case "gap":
      return core.fail("reset", { tellPeer: true });
    case "linger":
      return core.fail("done", { tellPeer: true });
    case "time_wait":
      return core.move({ type: "expired" }, now);
  }
}

function expireFin(core: StreamCore, now: Instant): void {
  if (!core.ending.isGivenUp) core.ending.repeatDue = true;
  // The peer has ended and all data arrived; only the confirmation of our end is missing.
  else if (core.state.name === "CLOSING") core.move({ type: "fin_acknowledged" }, now);
  else core.fail(core.isClosing ? "done" : "unreachable", { tellPeer: true });
}

function watch(core: StreamCore, now: Instant): void {
  const action = core.liveness.handleTimeout(now);
  if (action === "idle") return core.fail("idle", { tellPeer: true });
  // Unacknowledged data is repeated anyway.
  if (action === undefined || !core.send.isDrained) return;
  if (action === "probe") core.outbox.pushProbe();
  else core.outbox.pushKeepAlive();
}
