/**
 * What a segment of the peer does to a stream.
 *
 * The first flag that is set decides, in this order: RST, SYN, FIN, ACK. Segments without any are ignored.
 */

import type { Instant } from "../machine.ts";
import { isAfter, sequenceAdd } from "../seq.ts";
import { Flag } from "../../wire/packet.ts";
import type { SackBlock } from "../../wire/sack.ts";
import type { StreamCore } from "./core.ts";
import { FIN_GAP_MS, TIME_WAIT_MS } from "./ending.ts";
import { FIRST_OF_OLD_NODES } from "./opening.ts";
import { readSack } from "./sack_check.ts";
import { resetFor, type Segment } from "./segment.ts";
import { mayReceive, peerIsFinished } from "./state.ts";

const NO_BLOCKS: readonly SackBlock[] = [];

/** Takes a segment in. */
export function handleIncoming(core: StreamCore, segment: Segment, now: Instant): void {
  const { flags } = segment;
  if (core.state.name === "CLOSED") return;
  if ((flags & Flag.RST) !== 0) return handleReset(core, segment);
  if ((flags & Flag.SYN) !== 0) return handleSyn(core, segment, now);
  if (core.state.name === "SYN_SENT") return core.opening.stash(segment, core.send.next);
  core.liveness.noteHeard(now);
  if ((flags & Flag.FIN) !== 0) handleFin(core, segment, now);
  else if ((flags & Flag.ACK) !== 0) handleAck(core, segment, now);
}

/** Tunnels authenticate resets; the numbers only tell whether this connection is meant. Old nodes send zeros. */
function handleReset(core: StreamCore, { sequence, acknowledgement }: Segment): void {
  const { state } = core;
  if (state.name === "TIME_WAIT") return;
  if (state.name === "SYN_SENT") {
    const isMeant = sequence === 0 || acknowledgement === core.send.next;
    if (isMeant) core.fail("refused", { tellPeer: false });
    return;
  }
  if (sequence !== 0 && !core.receive.isPlausible(sequence)) return;
  // In CLOSING all data arrived both ways, and a closed application does not care for what the peer might add.
  const isDone = state.name === "CLOSING" || (core.isClosing && core.send.isDrained);
  core.fail(isDone ? "done" : "reset", { tellPeer: false });
}

function handleSyn(core: StreamCore, segment: Segment, now: Instant): void {
  if ((segment.flags & Flag.ACK) === 0) {
    const isRepeated = core.isPassive && segment.sequence === core.peerFirst;
    if (isRepeated) core.outbox.pushSynAck(core.first, core.peerFirst);
    return;
  }
  const isOurs = segment.acknowledgement === sequenceAdd(core.first, 1);
  if (core.state.name === "SYN_SENT") {
    // Not ours: the peer has an old connection between these ports. The reset ends it, our next SYN opens a new one.
    if (isOurs) open(core, segment, now);
    else core.outbox.push(resetFor(segment));
  } else if (isOurs && !core.isPassive) {
    // Our third packet was lost.
    core.acks.demand();
  }
}

function open(core: StreamCore, synAck: Segment, now: Instant): void {
  restart(core, core.opening.firstOfPeer(synAck));
  core.send.open(synAck.window);
  core.acks.demand();
  core.establish(now);
  for (const early of core.opening.takeStash()) handleIncoming(core, early, now);
}

function restart(core: StreamCore, first: number): void {
  core.peerFirst = sequenceAdd(first, -1);
  core.receive.restart(first);
}

function handleAck(core: StreamCore, segment: Segment, now: Instant): void {
  const { send } = core;
  if (core.state.name === "SYN_RECV") {
    const isThird = isAfter(segment.acknowledgement, core.first) &&
      !isAfter(segment.acknowledgement, send.next);
    if (!isThird) return;
    core.establish(now);
  }
  const { payload, window } = segment;
  const blocks = payload.length === 0 ? undefined : readSack(segment, send.next);
  const hasData = blocks === undefined && payload.length > 0;
  const isOfFin = acknowledgesFin(core, segment);
  if (isOfFin) core.move({ type: "fin_acknowledged" }, now);
  const number = isOfFin ? send.next : segment.acknowledgement;
  const isNew = send.acknowledge({ number, window, blocks: blocks ?? NO_BLOCKS, hasData }, now);
  const isKeepAlive = payload.length === 0 && window === 0 && !isNew && number === send.next;
  if (hasData) handleData(core, segment, now);
  // The answer cannot loop: it has a window, or it is not answered for a while.
  else if (isKeepAlive && core.liveness.takeAnswer(now)) core.acks.demand();
  if (core.wantsRoom && send.room >= send.capacity / 4 && !core.ending.requested) {
    core.wantsRoom = false;
    core.events.say("writable");
  }
}

function handleData(core: StreamCore, { sequence, payload }: Segment, now: Instant): void {
  const { receive, acks } = core;
  const end = core.ending.peerEnd;
  core.segmentsReceived++;
  if (!mayReceive(core.state)) return acks.demand();
  if (end !== undefined && isAfter(sequenceAdd(sequence, payload.length), end)) return;
  // The very first byte of an old node, whose SYN+ACK had moved on with all data lost that was sent before.
  const isBeforeFirst = !core.isPassive && receive.total === 0 && isAfter(receive.next, sequence);
  if (isBeforeFirst && sequence === FIRST_OF_OLD_NODES) restart(core, FIRST_OF_OLD_NODES);
  const gaps = receive.gaps;
  receive.tick(now, core.send.rtt.smoothed);
  const reception = receive.receive(sequence, payload);
  // Between nodes like ours a report that grows without a new gap can wait for its turn.
  const isRegular = reception === "delivered" || (reception === "early" && core.isExtended);
  if (isRegular && receive.gaps === gaps && (gaps === 0 || core.isExtended)) {
    acks.noteData(now, receive.ackEvery);
  } else acks.demand(core.isForeign && receive.early > 0);
  if (reception !== "delivered") return;
  if (!core.isClosing) core.events.say("readable");
  if (end !== undefined) core.timers.set("gap", now + FIN_GAP_MS);
  core.takePeerEnd(now);
}

function handleFin(core: StreamCore, segment: Segment, now: Instant): void {
  if (!core.receive.isPlausible(segment.sequence)) return;
  const isAnswer = (segment.flags & Flag.ACK) !== 0 && acknowledgesFin(core, segment);
  // Only an established peer sends FIN, so it is as good as the third packet.
  if (core.state.name === "SYN_RECV") core.establish(now);
  if (isAnswer) core.move({ type: "fin_acknowledged" }, now);
  if (peerIsFinished(core.state)) {
    if ((segment.flags & Flag.ACK) !== 0) return;
    if (core.state.name === "TIME_WAIT") core.timers.set("time_wait", now + TIME_WAIT_MS);
    return core.acks.demand();
  }
  core.ending.peerEnd ??= segment.sequence;
  core.takePeerEnd(now);
  if (peerIsFinished(core.state)) return;
  core.timers.set("gap", core.timers.get("gap") ?? now + FIN_GAP_MS);
  core.acks.demand();
}

/** Whether the number lies one behind all data: our FIN was taken in. */
function acknowledgesFin(core: StreamCore, { acknowledgement }: Segment): boolean {
  return core.ending.isSent && acknowledgement === sequenceAdd(core.send.next, 1);
}
