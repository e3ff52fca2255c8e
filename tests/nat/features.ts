/** Which flags the program has: the lab uses what there is. */

import { Program } from "../e2e/process.ts";

/** What the lab asks for when it can. */
export interface Features {
  /** A beacon that agents without UDP reach over TLS. */
  readonly wss: boolean;
}

/** Reads the help of the commands. */
export async function readFeatures(): Promise<Features> {
  const [beacon, agent] = await Promise.all([help("beacon", "serve"), help("agent", "start")]);
  return {
    wss: beacon.includes("--wss ") && agent.includes("--tls-ca "),
  };
}

async function help(...command: string[]): Promise<string> {
  const { stdout } = await new Program({ args: [...command, "--help"], env: {} }).finished();
  return stdout;
}
