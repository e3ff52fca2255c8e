/** Outgoing streams: each has a socket of its own. */

import { type Address, formatSocketAddress } from "../wire/address.ts";
import type { IpcReply } from "../wire/ipc.ts";
import { Channel, type ChannelOptions } from "./channel.ts";
import { ClientStream } from "./stream.ts";

/**
 * Opens a stream through the agent at `path`. Giving up also ends the attempt inside the agent.
 *
 * @throws PilotError `connection_failed`, `timeout`, `not_found`, `not_trusted`, `not_running`
 */
export async function openStream(
  path: string,
  target: { readonly address: Address; readonly port: number },
  options: Omit<ChannelOptions, "events" | "datagrams">,
): Promise<ClientStream> {
  const { address, port } = target;
  const channel = await Channel.open(path, options);
  try {
    return await channel.call({ kind: "dial", address, port }, {
      ...options,
      what: `dial ${formatSocketAddress(address, port)}`,
      // Made before the next message is read, so that no Recv is lost.
      reply: (reply) => reply.kind === "dial_ok" ? dialled(channel, { reply, address, port }) : undefined,
    });
  } catch (error) {
    // The agent gives up the attempt when its socket goes away.
    channel.close();
    throw error;
  }
}

function dialled(
  channel: Channel,
  options: { reply: Extract<IpcReply, { kind: "dial_ok" }>; address: Address; port: number },
): ClientStream {
  const { reply, address, port } = options;
  return new ClientStream(channel, {
    id: reply.connection,
    remote: address,
    remotePort: port,
    localPort: reply.localPort,
    localAddress: reply.localAddress,
    release: () => channel.close(),
  });
}
