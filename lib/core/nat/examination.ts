/**
 * One examination of the NAT in front of a node, with the tests of RFC 5780 section 4, most of them at the same time.
 *
 * The beacon is asked where it sees us and which other places it has. Then the main socket asks those places as well
 * (mapping); a fresh socket, which speaks to the first place only, asks for answers from the others (filtering); more
 * fresh sockets show how ports follow each other; and two sockets try to reach each other from outside (hairpin).
 */

import { decodeExamine, decodeExamineReply, ExamineType } from "../../wire/examine.ts";
import type { ExaminePlace, ExamineReply } from "../../wire/examine.ts";
import { type Endpoint, sameEndpoint } from "../../wire/endpoint.ts";
import type { Instant, RandomSource, Transmit } from "../machine.ts";
import { isPunchTarget } from "../punch_target.ts";
import { earlier } from "../timers.ts";
import type { ViaNumbers } from "../via.ts";
import { type Asked, Asking } from "./asking.ts";
import type { NatBehaviour } from "./behaviour.ts";
import { HairpinTest } from "./hairpin.ts";
import { type Finding, isTranslated, judgeFiltering, judgeMapping, judgePorts } from "./judge.ts";
import type { PortSample } from "./judge.ts";

/** Fresh sockets: one for the filter and all of them for the ports. */
const SOCKETS = 4;

/** What an examination works with. */
export interface ExaminationOptions {
  readonly beacon: Endpoint;
  /** The endpoints of the main socket on this computer, empty while they are not known. */
  readonly local: readonly Endpoint[];
  readonly random: RandomSource;
  readonly vias: ViaNumbers;
  readonly now: Instant;
}

/** How an examination ended: `silent` when the beacon does not answer its questions. */
export type ExaminationResult =
  | { readonly type: "silent" }
  | { readonly type: "done"; readonly behaviour: NatBehaviour; readonly seen: Endpoint };

/** The questions that follow when the first one is answered. */
interface Tests {
  readonly otherPort: Asked | undefined;
  readonly otherAddress: Asked | undefined;
  readonly both: Asked | undefined;
  /** The main socket's own question to the place that `fromFar` is to come from. */
  readonly far: Asked | undefined;
  readonly fromPort: Asked | undefined;
  readonly fromFar: Asked | undefined;
  /** What each fresh socket asked the first place, in order. */
  readonly series: readonly Asked[];
}

/** One examination. Its sockets are given back when it has a result, or by `close`. */
export class Examination {
  readonly #options: ExaminationOptions;
  readonly #asking = new Asking();
  readonly #first: Asked;
  readonly #vias: number[] = [];
  /** Inside ports of the fresh sockets. */
  readonly #inside = new Map<number, number>();
  #tests: Tests | undefined;
  #hairpin: HairpinTest | undefined;
  #result: ExaminationResult | undefined;

  constructor(options: ExaminationOptions) {
    this.#options = options;
    this.#first = this.#ask("plain", 0, options.beacon, options.now);
  }

  get result(): ExaminationResult | undefined {
    return this.#result;
  }

  /** The round-trip time to the beacon, milliseconds. */
  get rtt(): number | undefined {
    return this.#asking.rtt;
  }

  /** A fresh socket was opened on this port. */
  handleOpened(via: number, port: number): void {
    if (this.#vias.includes(via)) this.#inside.set(via, port);
  }

  /** Whether the datagram belongs to the examination. */
  handleDatagram(from: Endpoint, data: Uint8Array, now: Instant, via: number): boolean {
    if (this.#result !== undefined) return false;
    let isOurs = false;
    if (data[0] === ExamineType.EXAMINE) {
      const question = decodeExamine(data);
      isOurs = typeof question !== "string" && this.#hairpin?.handleToken(question.token) === true;
    } else {
      const reply = decodeExamineReply(data);
      isOurs = typeof reply !== "string" && this.#asking.handleReply({ reply, from, via, now });
    }
    if (isOurs) this.#advance(now);
    return isOurs;
  }

  handleTimeout(now: Instant): void {
    this.#asking.handleTimeout(now);
    this.#hairpin?.handleTimeout({ losses: this.#asking.losses(now), rtt: this.rtt }, now);
    this.#advance(now);
  }

  pollTimeout(): Instant | undefined {
    if (this.#result !== undefined) return undefined;
    return earlier(this.#asking.pollTimeout(), this.#hairpin?.pollTimeout());
  }

  pollTransmit(): Transmit | undefined {
    if (this.#result !== undefined) return undefined;
    return this.#asking.pollTransmit() ?? this.#hairpin?.pollTransmit();
  }

  /** Ends it without a result. */
  close(): void {
    for (const via of this.#vias.splice(0)) this.#options.vias.give(via);
  }

  #advance(now: Instant): void {
    if (this.#result !== undefined) return;
    const { reply } = this.#first.question;
    if (reply === undefined) {
      if (this.#first.standing !== "asking") this.#end({ type: "silent" });
      return;
    }
    this.#tests ??= this.#startTests(reply, now);
    this.#startHairpin(reply, this.#tests, now);
    const isFilterOpen = this.#tests.fromFar?.standing === "came";
    const isAsking = isFilterOpen ? this.#isAskingAllBut(this.#tests.fromPort) : this.#asking.isBusy;
    if (isAsking || (this.#hairpin !== undefined && this.#hairpin.result === undefined)) return;
    this.#end({ type: "done", behaviour: this.#judge(reply, this.#tests), seen: reply.seen });
  }

  /** What may come from anywhere needs no second proof. */
  #isAskingAllBut(asked: Asked | undefined): boolean {
    const tests = this.#tests;
    if (tests === undefined) return true;
    return [tests.otherPort, tests.otherAddress, tests.both, ...tests.series]
      .some((each) => each !== asked && each?.standing === "asking" && each.question.reply === undefined);
  }

  #startTests(reply: ExamineReply, now: Instant): Tests {
    const { beacon } = this.#options;
    const other = this.#otherAddress(reply);
    const otherPort = reply.otherPort === 0 || reply.otherPort === beacon.port
      ? undefined
      : { host: beacon.host, port: reply.otherPort };
    const both = other === undefined || other.otherPort === 0
      ? undefined
      : { host: other.host, port: other.otherPort };
    const ask = (to: Endpoint | undefined) => to && this.#ask("plain", 0, to, now);
    const mapping = { otherPort: ask(otherPort), otherAddress: ask(other), both: ask(both) };
    // In one go, so that the NAT is likely to give their ports in a row.
    const series = Array.from({ length: SOCKETS }, (_, i) => {
      const via = this.#options.vias.take();
      this.#vias.push(via);
      return this.#ask(i === 0 ? "control" : "plain", via, beacon, now);
    });
    const farPlace = { otherAddress: true, otherPort: both !== undefined };
    return {
      ...mapping,
      far: both === undefined ? mapping.otherAddress : mapping.both,
      fromPort: this.#askFrom(otherPort, { otherAddress: false, otherPort: true }, now),
      fromFar: this.#askFrom(both ?? other, farPlace, now),
      series,
    };
  }

  /** The second address that the beacon names, unless it is none to send to. */
  #otherAddress({ other }: ExamineReply): ExamineReply["other"] {
    const { beacon } = this.#options;
    if (other === undefined || other.host === beacon.host || !isPunchTarget(other, beacon)) return undefined;
    return other.host.includes(":") === beacon.host.includes(":") ? other : undefined;
  }

  #startHairpin(reply: ExamineReply, tests: Tests, now: Instant): void {
    // The last of the fresh sockets, so that the ports of all are chosen before.
    const via = this.#vias.at(-1);
    const outside = tests.series.at(-1)?.question.seen;
    if (this.#hairpin !== undefined || via === undefined || outside === undefined) return;
    if (isTranslated(reply.seen, this.#options.local) === false) return;
    const { random } = this.#options;
    this.#hairpin = new HairpinTest([{ via: 0, outside: reply.seen }, { via, outside }], { random, now });
    this.#hairpin.handleTimeout({ losses: this.#asking.losses(now), rtt: this.rtt }, now);
  }

  #judge(reply: ExamineReply, tests: Tests): NatBehaviour {
    const { local } = this.#options;
    const translated = isTranslated(reply.seen, local);
    const mapping = judgeMapping({
      asked: reply.seen,
      otherPort: tests.otherPort?.question.seen,
      otherAddress: tests.otherAddress?.question.seen,
      both: tests.both?.question.seen,
    });
    const filtering = judgeFiltering({
      otherPort: finding(tests.fromPort, tests.otherPort),
      otherAddress: finding(tests.fromFar, tests.far),
    });
    const series = tests.series.flatMap(({ question }, i) =>
      this.#sample(question, this.#inside.get(this.#vias[i] ?? 0))
    );
    const hairpin = this.#judgeHairpin(mapping, filtering);
    return {
      ...(translated === undefined ? {} : { isTranslated: translated }),
      ...mapping,
      ...filtering,
      ...judgePorts(series, this.#sample(this.#first.question, local[0]?.port)),
      ...(hairpin === undefined ? {} : { hairpin }),
    };
  }

  #sample({ seen, isPrompt }: Asked["question"], inside: number | undefined): PortSample[] {
    return seen === undefined ? [] : [{ inside, outside: seen.port, isPrompt }];
  }

  /** With mappings that change and a filter, a NAT may turn datagrams around that the filter then drops. */
  #judgeHairpin({ mapping }: NatBehaviour, { filtering }: NatBehaviour): boolean | undefined {
    const result = this.#hairpin?.result;
    if (result === "came") return true;
    const isTelling = mapping === "endpoint-independent" || filtering === "endpoint-independent";
    return result === "silent" && isTelling ? false : undefined;
  }

  #ask(kind: "plain" | "control", via: number, to: Endpoint, now: Instant): Asked {
    return this.#asking.ask({ kind, via, to, random: this.#options.random, now });
  }

  /** Asks the first place, from the first fresh socket, for an answer from another place. */
  #askFrom(from: Endpoint | undefined, place: ExaminePlace, now: Instant): Asked | undefined {
    const via = this.#vias[0];
    const { beacon: to, random } = this.#options;
    if (from === undefined || via === undefined || sameEndpoint(from, to)) return undefined;
    return this.#asking.ask({ kind: "filtered", via, to, from, place, random, now });
  }

  #end(result: ExaminationResult): void {
    this.#result = result;
    this.close();
  }
}

/** Silence from a place counts only when that place has spoken, to the socket that asked it itself. */
function finding(asked: Asked | undefined, proof: Asked | undefined): Finding {
  if (asked === undefined || asked.standing === "asking") return "unknown";
  if (asked.standing === "silent" && proof?.question.reply === undefined) return "unknown";
  return asked.standing;
}
