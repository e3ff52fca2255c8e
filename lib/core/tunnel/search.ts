/**
 * One attempt to find a direct path to one peer by searching ports together.
 *
 * The side with the lower node id leads. A round: the leader asks, the other one agrees and begins half a round trip
 * later, the leader begins when it hears that. Sides whose next port is to be foretold learn their last one just before,
 * from a new socket by way of the beacon, and say it in these messages. A message that is lost is repeated; the second
 * copy of a request gets the same answer.
 */

import type { SearchMessage } from "../../wire/candidates.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import type { Instant } from "../machine.ts";
import { directRoute, type Route } from "./route.ts";
import { needsLastPort, type SearchRole } from "./search_plan.ts";
import { MAX_SEARCH_PROBES, OPEN_SOCKETS, roundDuration, searchProbe } from "./search_probes.ts";

/** What a search does to the world. */
export interface SearchHooks {
  /** Draws a 32-bit number. */
  readonly random: () => number;
  readonly takeVia: () => number;
  readonly giveVia: (via: number) => void;
  /** Whether a path of the peer lives on this socket. */
  readonly isUsed: (via: number) => boolean;
  /** Whether the node may send one more search probe now. */
  readonly mayProbe: (now: Instant) => boolean;
  readonly probe: (route: Route, token: number, now: Instant) => void;
  readonly tell: (message: SearchMessage, now: Instant) => void;
  /** Asks the beacon how it sees the socket `via`; false when there is no beacon. */
  readonly discover: (via: number) => boolean;
}

/** What a search is about. */
export interface SearchOptions {
  readonly role: SearchRole;
  readonly attempt: number;
  readonly isLeader: boolean;
  /** Where the beacon sees the peer. */
  readonly target: Endpoint;
  /** Distance of two ports in a row of the peer's NAT. */
  readonly step: number;
  /** Round-trip time through the relay, milliseconds. */
  readonly rtt: number;
  readonly hooks: SearchHooks;
}

type Stage = "preparing" | "asking" | "starting" | "running" | "waiting" | "over";

/** Distance of two probes while the node's limit allows them, milliseconds. */
const PACE_MS = 10;
/** No round begins after this time, milliseconds. */
const LAST_ROUND_MS = 18_000;
const MAX_ROUNDS = 12;
const REPEAT_MS = 300;
const MAX_REPEATS = 5;
/** How long the side that follows waits for the next round, milliseconds. */
const WAIT_MS = 5_000;

/** One attempt with one peer. */
export class Search {
  readonly attempt: number;
  readonly #options: SearchOptions;
  readonly #startedAt: Instant;
  #stage: Stage = "waiting";
  #round = 0;
  #vias: number[] = [];
  #ownPort: number | undefined;
  #theirPort: number | undefined;
  #repeats = 0;
  /** When something is due in this stage. */
  #at: Instant;
  #roundAt: Instant = 0;
  #index = 0;
  #draw = 0;
  #sent = 0;
  readonly #tokens = new Map<number, { readonly route: Route; readonly at: Instant }>();

  constructor(options: SearchOptions, now: Instant) {
    this.#options = options;
    this.attempt = options.attempt;
    this.#startedAt = now;
    this.#at = now + WAIT_MS;
    if (options.isLeader) this.#startRound(1, now);
  }

  /** Whether it has ended without a result; otherwise it goes on until `close`. */
  get isOver(): boolean {
    return this.#stage === "over";
  }

  /** Probes sent so far. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether the socket `via` is one of its own. */
  owns(via: number): boolean {
    return this.#vias.includes(via);
  }

  handleMessage(message: SearchMessage, now: Instant): void {
    if (this.isOver || message.attempt !== this.attempt) return;
    const { isLeader } = this.#options;
    if (message.stage === "agreed") {
      if (!isLeader || message.round !== this.#round || this.#stage !== "asking") return;
      this.#theirPort = message.lastPort;
      this.#begin(now);
    } else if (!isLeader && message.round > this.#round) {
      this.#theirPort = message.lastPort;
      this.#startRound(message.round, now);
    } else if (!isLeader && message.round === this.#round && this.#stage !== "preparing") {
      this.#tell("agreed", now);
    }
  }

  /** The beacon sees the socket `via` at `port`. */
  handleLastPort(via: number, port: number, now: Instant): void {
    if (this.#stage !== "preparing" || via !== this.#vias[0]) return;
    this.#ownPort = port;
    this.#prepared(now);
  }

  /** The answer to a probe of this search: the way it took and how long, milliseconds. */
  takeAnswer(token: number, now: Instant): { readonly route: Route; readonly rtt: number } | undefined {
    const probe = this.#tokens.get(token);
    if (probe === undefined) return undefined;
    this.#tokens.delete(token);
    return { route: probe.route, rtt: now - probe.at };
  }

  handleTimeout(now: Instant): void {
    while (now >= this.#at && !this.isOver) {
      switch (this.#stage) {
        case "preparing":
          this.#discover(now);
          break;
        case "asking":
          this.#ask(now);
          break;
        case "starting":
          this.#begin(now);
          break;
        case "running":
          this.#run(now);
          break;
        default:
          this.#end();
      }
    }
  }

  nextTimeout(): Instant | undefined {
    return this.isOver ? undefined : this.#at;
  }

  /** Closes its sockets but those that a path lives on. */
  close(): void {
    this.#end();
    this.#tokens.clear();
    this.#release();
  }

  #startRound(round: number, now: Instant): void {
    const { role, hooks } = this.#options;
    this.#release();
    this.#round = round;
    this.#repeats = 0;
    this.#ownPort = undefined;
    if (!needsLastPort(role)) return this.#prepared(now);
    this.#vias = [hooks.takeVia()];
    this.#stage = "preparing";
    this.#discover(now);
  }

  #discover(now: Instant): void {
    const [via = 0] = this.#vias;
    if (this.#repeats++ >= MAX_REPEATS || !this.#options.hooks.discover(via)) return this.#end();
    this.#at = now + REPEAT_MS;
  }

  /** This side is ready: the leader asks the other one, the other one says so and begins. */
  #prepared(now: Instant): void {
    this.#repeats = 0;
    if (this.#options.isLeader) {
      this.#stage = "asking";
      return this.#ask(now);
    }
    this.#tell("agreed", now);
    this.#stage = "starting";
    this.#at = now + this.#options.rtt / 2;
  }

  #ask(now: Instant): void {
    if (this.#repeats++ >= MAX_REPEATS) return this.#end();
    this.#tell("request", now);
    this.#at = now + Math.max(REPEAT_MS, 2 * this.#options.rtt);
  }

  #begin(now: Instant): void {
    const { role, hooks } = this.#options;
    if (role === "open") this.#vias = Array.from({ length: OPEN_SOCKETS }, () => hooks.takeVia());
    this.#draw = hooks.random();
    this.#index = 0;
    this.#roundAt = now;
    this.#stage = "running";
    this.#at = now;
  }

  #run(now: Instant): void {
    const { role, target, step, rtt, hooks } = this.#options;
    const end = this.#roundAt + roundDuration(role, rtt);
    if (now >= end) return this.#endRound(now);
    const needsTheirs = role === "aim" || role === "row";
    if (needsTheirs && this.#theirPort === undefined) return this.#end();
    const plan = {
      role,
      target,
      step,
      vias: this.#vias,
      lastPort: this.#theirPort ?? 0,
      random: this.#draw,
    };
    const next = this.#sent >= MAX_SEARCH_PROBES ? undefined : searchProbe(plan, this.#index);
    const due = this.#roundAt + (next?.after ?? Infinity);
    if (next === undefined || due >= end) this.#at = end;
    else if (now < due) this.#at = due;
    else {
      if (hooks.mayProbe(now)) {
        this.#probe(directRoute(next.endpoint, next.via), now);
        this.#index++;
      }
      this.#at = now + PACE_MS;
    }
  }

  #probe(route: Route, now: Instant): void {
    const token = this.#options.hooks.random();
    this.#tokens.set(token, { route, at: now });
    this.#sent++;
    this.#options.hooks.probe(route, token, now);
  }

  /** Ports that were foretold wrong are foretold again: another host behind the NAT may have come between. */
  #endRound(now: Instant): void {
    const { role, isLeader } = this.#options;
    const mayRepeat = role !== "open" && role !== "spray" && this.#sent < MAX_SEARCH_PROBES;
    if (!mayRepeat) return this.#end();
    if (!isLeader) {
      this.#stage = "waiting";
      this.#at = now + WAIT_MS;
    } else if (this.#round >= MAX_ROUNDS || now - this.#startedAt > LAST_ROUND_MS) this.#end();
    else this.#startRound(this.#round + 1, now);
  }

  #tell(stage: SearchMessage["stage"], now: Instant): void {
    const { attempt } = this;
    const message = { kind: "search", stage, attempt, round: this.#round, lastPort: this.#ownPort } as const;
    this.#options.hooks.tell(message, now);
  }

  #release(): void {
    const { hooks } = this.#options;
    const vias = this.#vias;
    this.#vias = [];
    for (const via of vias) if (!hooks.isUsed(via)) hooks.giveVia(via);
  }

  #end(): void {
    this.#stage = "over";
  }
}
