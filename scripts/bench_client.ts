/** A program that talks to its agent over the local socket. */

import { AgentClient } from "../lib/client/agent.ts";
import type { ClientStream } from "../lib/client/stream.ts";
import type { Transport, Wire } from "./bench_wire.ts";

/** Streams of an agent. */
export class AgentTransport implements Transport {
  readonly #client: AgentClient;

  private constructor(client: AgentClient) {
    this.#client = client;
  }

  /** Connects to the agent behind `socket`. */
  static async open(socket: string): Promise<AgentTransport> {
    return new AgentTransport(await AgentClient.connect({ socket }));
  }

  /** The number of the agent's node. */
  async node(): Promise<number> {
    return (await this.#client.info()).node_id;
  }

  async listen(port: number, serve: (wire: Wire) => Promise<void>): Promise<void> {
    const listener = await this.#client.listen(port);
    void (async () => {
      for await (const stream of listener) {
        void serve(wireOf(stream)).catch((error) => console.error("serving:", error));
      }
    })();
  }

  async dial(peer: number, port: number): Promise<Wire> {
    return wireOf(await this.#client.dial({ network: 0, node: peer }, port));
  }
}

function wireOf(stream: ClientStream): Wire {
  return {
    read: () => stream.read(),
    readAll: async (take) => {
      for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) take(chunk);
    },
    write: (data) => stream.write(data),
    closeWrite: () => stream.closeWrite(),
    close: () => stream.close(),
  };
}
