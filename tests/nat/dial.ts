/** One dial between two agents, measured: how soon the first byte is back, and which path it ends on. */

import { pause } from "../../lib/io/pause.ts";
import type { ClientStream } from "../../mod.ts";
import type { LabAgent } from "./lab.ts";

/** The echo service of every agent. */
const ECHO_PORT = 7;
/** How often the agent is asked for its path: at first, and after two seconds, milliseconds. */
const FINE_MS = 20;
const COARSE_MS = 200;
/** A path must last this long to count, milliseconds. */
const SETTLED_MS = 300;

/** The path of a connection, as the agent that dialled tells it. */
export type PathName = "direct" | "relay" | "none";

/** What a dial led to. Times are milliseconds since the dial began. */
export interface Measured {
  readonly path: PathName;
  /** When the first byte was back. */
  readonly firstMs?: number;
  /** When the path was direct. */
  readonly directMs?: number;
  /** What went wrong. */
  readonly problem?: string;
}

/** How long to wait, milliseconds. */
export interface Patience {
  /** For the first byte. */
  readonly firstMs: number;
  /** From then on for the path to become direct. */
  readonly directMs: number;
}

/** Dials the echo service of a peer. `connected` is called when the first byte is back or will not come. */
export async function measureDial(
  from: LabAgent,
  to: LabAgent,
  { patience, connected = () => {} }: { readonly patience: Patience; readonly connected?: () => void },
): Promise<Measured> {
  const start = performance.now();
  const elapsed = () => Math.round(performance.now() - start);
  let stream: ClientStream;
  let firstMs: number;
  try {
    stream = await from.client.dial(String(to.node), ECHO_PORT, { timeoutMs: patience.firstMs });
    await roundTrip(stream, patience.firstMs);
    firstMs = elapsed();
  } catch (error) {
    return { path: "none", problem: error instanceof Error ? error.message : String(error) };
  } finally {
    connected();
  }
  try {
    const end = firstMs + patience.directMs;
    for (let directMs = 0;; await pause(elapsed() < 2_000 ? FINE_MS : COARSE_MS)) {
      const path = (await from.peer(to))?.path ?? "none";
      if (path === "direct" && directMs === 0) directMs = elapsed();
      if (path !== "direct") directMs = 0;
      if (path === "direct" && elapsed() >= directMs + SETTLED_MS) return { path, firstMs, directMs };
      if (elapsed() >= end && path !== "direct") {
        await roundTrip(stream, patience.firstMs);
        return { path, firstMs };
      }
      if (elapsed() >= 2_000) await roundTrip(stream, patience.firstMs);
    }
  } catch (error) {
    return { path: "none", firstMs, problem: error instanceof Error ? error.message : String(error) };
  } finally {
    await stream.close({ timeoutMs: 1_000 });
  }
}

async function roundTrip(stream: ClientStream, timeoutMs: number): Promise<void> {
  await stream.write(Uint8Array.of(1));
  if (await stream.read({ timeoutMs }) === null) throw new Error("the stream has ended");
}
