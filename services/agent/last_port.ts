/**
 * The UDP port that an agent had last. With the same one after a restart, the mappings of its NAT, its place at the
 * beacons and the endpoint that its peers know all stay true.
 */

import { readTextIfExists, writeAtomically } from "../../lib/io/files.ts";
import { PilotError } from "../../lib/wire/error.ts";

/**
 * Calls `bind` with `wanted`; where that is 0, any port, with the one in `file` if it is still to be had.
 *
 * @throws PilotError as `bind` does; never because of the file
 */
export async function bindAgain<Bound>(
  file: string,
  wanted: number,
  bind: (port: number) => Bound,
): Promise<Bound> {
  if (wanted !== 0) return bind(wanted);
  return tryBind(await readPort(file), bind) ?? bind(0);
}

/** Keeps the port in `file` for the next start; without it that takes any. */
export async function rememberPort(file: string, port: number): Promise<void> {
  if (await readPort(file) !== port) await writeAtomically(file, `${port}\n`).catch(() => {});
}

function tryBind<Bound>(port: number, bind: (port: number) => Bound): Bound | undefined {
  if (port === 0) return undefined;
  try {
    return bind(port);
  } catch (error) {
    if (error instanceof PilotError) return undefined;
    throw error;
  }
}

/** The port in `file`, 0 when there is none: whatever is wrong with the file, any port will do. */
async function readPort(file: string): Promise<number> {
  const text = await readTextIfExists(file).catch(() => undefined);
  const port = Number(text?.trim());
  return Number.isInteger(port) && port >= 1_024 && port <= 65_535 ? port : 0;
}
