/** The local socket of the agent, from the side of a program. */

import { PilotError } from "../wire/error.ts";

/** The path that agents use unless told otherwise. */
export const DEFAULT_SOCKET_PATH = "/tmp/pilot.sock";

/** A connection to an agent. */
export interface LocalConnection {
  read(buffer: Uint8Array): Promise<number | null>;
  write(data: Uint8Array): Promise<number>;
  /** Closes it, also if it is closed already; reads and writes under way fail. */
  close(): void;
}

/** `given` if there is one, else the environment variable `PILOT_SOCKET` if it may be read, else the default. */
export function socketPath(given: string | undefined): string {
  if (given !== undefined && given !== "") return given;
  try {
    return Deno.env.get("PILOT_SOCKET") || DEFAULT_SOCKET_PATH;
  } catch {
    return DEFAULT_SOCKET_PATH;
  }
}

/**
 * Connects to the agent at `path`.
 *
 * @throws PilotError `not_running` when nobody listens there, `connection_failed` when it may not be used
 */
export async function connectLocal(path: string): Promise<LocalConnection> {
  let conn: Deno.UnixConn;
  try {
    conn = await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) {
      throw new PilotError("not_running", `no agent is running at ${path}`, {
        hint: "pilot agent start",
        cause: error,
      });
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new PilotError("connection_failed", `cannot use the socket ${path}: ${reason}`, { cause: error });
  }
  return {
    read: (buffer) => conn.read(buffer),
    write: (data) => conn.write(data),
    close: () => {
      try {
        conn.close();
      } catch {
        // Closed before.
      }
    },
  };
}
