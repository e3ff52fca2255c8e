/**
 * What the built-in services have in common: they hold a port, serve every inbound stream by its own task, and
 * bound what a peer can occupy.
 */

import type { Log } from "../../../lib/io/log.ts";
import { formatAddress } from "../../../lib/wire/address.ts";
import type { AgentApi, AgentStream } from "../api.ts";
import { Budget, type BudgetLimits } from "./budget.ts";

/** Streams served at the same time. */
export const STREAM_LIMITS: BudgetLimits = { perPeer: 64, total: 1024 };

/** The part of the log that services write to. */
export type ServiceLog = Pick<Log, "debug" | "warn">;

/** A built-in service. */
export interface Service {
  readonly port: number;
  /** Serves one stream to its end. A rejection aborts the stream, nothing else. */
  readonly serve: (stream: AgentStream) => Promise<void>;
  readonly log?: ServiceLog;
  readonly limits?: BudgetLimits;
}

/** Starts the service; the returned function stops it and ends its streams. @throws PilotError as `AgentApi.listen` */
export function startService(api: Pick<AgentApi, "listen">, service: Service): () => void {
  const listener = api.listen(service.port);
  const budget = new Budget(service.limits ?? STREAM_LIMITS);
  const open = new Set<AgentStream>();
  const { port, log } = service;

  const serveOne = async (stream: AgentStream): Promise<void> => {
    const peer = stream.remote.node;
    if (!budget.take(peer, 1)) return stream.abort();
    open.add(stream);
    try {
      await service.serve(stream);
      await stream.close();
    } catch (error) {
      stream.abort();
      log?.debug("service stream ended", {
        port,
        peer: formatAddress(stream.remote),
        reason: reasonOf(error),
      });
    } finally {
      open.delete(stream);
      budget.give(peer, 1);
    }
  };

  const acceptAll = async (): Promise<void> => {
    for (let stream = await listener.accept(); stream !== null; stream = await listener.accept()) {
      void serveOne(stream);
    }
  };
  acceptAll().catch((error) => log?.warn("service stopped", { port, reason: reasonOf(error) }));

  return () => {
    listener.close();
    for (const stream of open) stream.abort();
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
