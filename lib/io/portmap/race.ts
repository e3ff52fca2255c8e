/**
 * Several protocols asked for one mapping at once.
 *
 * Gateways often speak more than one of them over a single table, so mapping with all and deleting the surplus could
 * delete the mapping itself. Everything that changes nothing runs side by side; a less preferred protocol makes its
 * mapping when the ones before it have failed or have had their head start.
 */

import { sameEndpoint } from "../../wire/endpoint.ts";
import { pause } from "../pause.ts";
import {
  failure,
  isFailure,
  type Lease,
  type MappingClient,
  type MappingMethod,
  type MapRequest,
} from "./method.ts";
import type { FailureReason, MappingFailure } from "./method.ts";

/** Head start of each protocol over the next, milliseconds after the probe of that one. */
const HEAD_START_MS = 250;

/** What one protocol came to. `detail` is for people, empty for success. */
export interface Attempt {
  readonly method: MappingMethod;
  readonly outcome: "mapped" | FailureReason;
  readonly detail: string;
}

/** The mapping of a race, and who made it. */
export interface Winner {
  readonly client: MappingClient;
  readonly lease: Lease;
}

/** What became of all. */
export interface RaceResult {
  readonly winner: Winner | undefined;
  readonly attempts: readonly Attempt[];
  /** Resolves when the protocols that came too late have tidied up. */
  readonly settled: Promise<void>;
}

/**
 * Maps with the first of `clients`, the preferred one first, that can. Ends early on abort, without a mapping: one
 * that was made in that moment is deleted before `settled` resolves. Never rejects.
 */
export async function race(
  clients: readonly MappingClient[],
  request: MapRequest,
  signal: AbortSignal,
): Promise<RaceResult> {
  const over = new AbortController();
  const stop = () => over.abort();
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  // A request under way is not given up: its answer tells what there would be to delete.
  const never = new AbortController().signal;
  const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
  const failures = clients.map(() => Promise.withResolvers<void>());
  const attempts: Attempt[] = clients.map(({ method }) => ({ method, outcome: "not-needed", detail: "" }));
  let winner: Winner | undefined;

  const run = async (client: MappingClient, index: number): Promise<MappingFailure | undefined> => {
    const problem = await client.probe(over.signal);
    if (problem !== undefined) return over.signal.aborted ? undefined : problem;
    await turn(index);
    if (over.signal.aborted) return undefined;
    const lease = await client.map(request, never);
    if (isFailure(lease)) return lease;
    if (over.signal.aborted) {
      const isShared = winner !== undefined && sameEndpoint(winner.lease.external, lease.external);
      if (!isShared) await client.unmap(lease, never);
      return undefined;
    }
    winner = { client, lease };
    attempts[index] = { method: client.method, outcome: "mapped", detail: "" };
    over.abort();
    return undefined;
  };
  /** Waits until it is the turn of number `index` to map. */
  const turn = async (index: number): Promise<void> => {
    const done = new AbortController();
    const end = () => done.abort();
    over.signal.addEventListener("abort", end);
    if (over.signal.aborted) end();
    const before = Promise.all(failures.slice(0, index).map(({ promise }) => promise));
    await Promise.race([before, pause(HEAD_START_MS * index, done.signal)]);
    over.signal.removeEventListener("abort", end);
    end();
  };
  over.signal.addEventListener("abort", () => decide());
  const runs = clients.map(async (client, index) => {
    const problem = await run(client, index).catch(unexpected);
    if (problem !== undefined && winner === undefined) {
      attempts[index] = { method: client.method, outcome: problem.reason, detail: problem.detail };
    }
    failures[index]?.resolve();
  });
  const settled = Promise.all(runs).then(() => {
    signal.removeEventListener("abort", stop);
    decide();
  });
  await Promise.race([decided, settled]);
  return { winner, attempts: [...attempts], settled };
}

function unexpected(error: unknown): MappingFailure {
  return failure("malformed", error instanceof Error ? error.message : String(error));
}
