/** One stream of a service that stores what it receives: bounded in time and memory, with a known sender. */

import { formatAddress } from "../../../lib/wire/address.ts";
import type { AgentApi, AgentInfo, AgentStream } from "../api.ts";
import type { Sender } from "../inbox.ts";
import { Budget, type BudgetLimits, MemoryHold } from "./budget.ts";
import { Deliveries, type MessageStore } from "./deliveries.ts";
import { type Service, type ServiceLog } from "./service.ts";
import { TimedReader, within } from "./timed_reader.ts";

/** The part of the agent that knows who a peer is. */
export interface PeerDirectory extends Pick<AgentApi, "trustedPeers"> {
  readonly info: () => Pick<AgentInfo, "peer_list">;
}

/** How long a peer may take, in milliseconds. */
export interface StreamTimes {
  /** Without a byte between two messages. */
  readonly idleMs: number;
  /** Without a byte within a message, or without taking the answer. */
  readonly progressMs: number;
}

/** What a storing service needs. The last two have defaults, which tests shorten. */
export interface StoringOptions {
  readonly inbox: MessageStore;
  readonly log?: ServiceLog | undefined;
  readonly times?: StreamTimes;
  readonly memory?: BudgetLimits;
}

/** The times of the public Pilot network. */
const STREAM_TIMES: StreamTimes = { idleMs: 120_000, progressMs: 60_000 };

/** Bytes of unfinished messages. */
const MEMORY_LIMITS: BudgetLimits = { perPeer: 32 * 1024 * 1024, total: 128 * 1024 * 1024 };

/** A service on `port` whose streams are sessions. */
export function storingService(
  api: PeerDirectory,
  service: StoringOptions & { port: number; run: (session: Session) => Promise<void> },
): Service {
  const deliveries = new Deliveries(service.inbox, service.log);
  const budget = new Budget(service.memory ?? MEMORY_LIMITS);
  const times = service.times ?? STREAM_TIMES;
  const serve = async (stream: AgentStream): Promise<void> => {
    const sender = await senderOf(api, stream);
    const memory = new MemoryHold(budget, stream.remote.node);
    try {
      await service.run(new Session(stream, { deliveries, memory, sender, times }));
    } finally {
      memory.resize(0);
    }
  };
  return { port: service.port, serve, ...(service.log === undefined ? {} : { log: service.log }) };
}

/** The stream with its bounds. */
export class Session {
  readonly sender: Sender;
  readonly deliveries: Deliveries;
  readonly #stream: AgentStream;
  readonly #reader: TimedReader;
  readonly #memory: MemoryHold;
  readonly #times: StreamTimes;

  constructor(
    stream: AgentStream,
    options: { deliveries: Deliveries; memory: MemoryHold; sender: Sender; times: StreamTimes },
  ) {
    this.#stream = stream;
    this.#reader = new TimedReader(stream);
    this.#memory = options.memory;
    this.#times = options.times;
    this.sender = options.sender;
    this.deliveries = options.deliveries;
  }

  /**
   * The next bytes, `null` at the peer's end, also when it was idle too long between messages.
   * @throws Error when the peer stopped within a message, or when the stream was reset
   */
  async read(): Promise<Uint8Array | null> {
    const unfinished = this.held > 0;
    const piece = await this.#reader.read(unfinished ? this.#times.progressMs : this.#times.idleMs);
    if (piece !== "timeout") return piece;
    if (unfinished) throw new Error("no progress within a message");
    return null;
  }

  /** As `read`, but `"timeout"` after so many milliseconds. */
  readWithin(milliseconds: number): Promise<Uint8Array | null | "timeout"> {
    return this.#reader.read(milliseconds);
  }

  /** Sends an answer. @throws Error when the peer does not take it in time */
  async write(bytes: Uint8Array): Promise<void> {
    const written = await within(this.#stream.write(bytes), this.#times.progressMs);
    if (written === "timeout") throw new Error("the peer does not take the answer");
  }

  /** Bytes of unfinished messages held for this stream. */
  get held(): number {
    return this.#memory.size;
  }

  /** States how many bytes of unfinished messages are held now. @throws Error when these are too many */
  hold(bytes: number): void {
    if (!this.#memory.resize(bytes)) throw new Error("too much unfinished data");
  }
}

/** Who is at the other end, as far as the agent can prove it. */
async function senderOf(api: PeerDirectory, stream: Pick<AgentStream, "remote">): Promise<Sender> {
  const node = stream.remote.node;
  const trusted = await api.trustedPeers();
  const key = trusted.find((peer) => peer.node_id === node)?.public_key ?? "";
  return {
    from: formatAddress(stream.remote),
    ...(key === "" ? {} : { fromKey: key }),
    authenticated: api.info().peer_list.some((peer) => peer.node_id === node && peer.authenticated),
  };
}
