/** The baselines: UDP and TCP as the runtime gives them, without anything on top. */

/** Bytes of a datagram of the blast: what a real path carries for sure (RFC 8200: 1,280 with the IPv6 header). */
export const BLAST_BYTES = 1_200;
/** Bytes of a small message. */
export const PING_BYTES = 64;

const LOCALHOST = "127.0.0.1";

const totals = { bytes: 0, first: 0, last: 0 };

/** Calls of a worker that measure bare sockets. Times in milliseconds unless named otherwise. */
export const rawMethods = {
  /** Takes datagrams in and counts them. */
  udpSink(_: null): Promise<{ port: number }> {
    const socket = udp();
    const buffer = new Uint8Array(65_536);
    void (async () => {
      for (;;) {
        const [view] = await socket.receive(buffer);
        totals.last = performance.now();
        if (totals.bytes === 0) totals.first = totals.last;
        totals.bytes += view.length;
      }
    })();
    return Promise.resolve({ port: portOf(socket.addr) });
  },

  /** What the sink has got since it was asked last. */
  udpSinkTotals(_: null): Promise<{ bytes: number; ms: number }> {
    const result = { bytes: totals.bytes, ms: totals.last - totals.first };
    totals.bytes = 0;
    return Promise.resolve(result);
  },

  /** Sends as fast as the socket takes it. */
  async udpBlast({ port, ms }: { port: number; ms: number }): Promise<{ bytes: number; ms: number }> {
    const socket = udp();
    const data = crypto.getRandomValues(new Uint8Array(BLAST_BYTES));
    const to = { transport: "udp", hostname: LOCALHOST, port } as const;
    const start = performance.now();
    let bytes = 0;
    while (performance.now() - start < ms) {
      for (let count = 0; count < 64; count++) bytes += await socket.send(data, to);
    }
    socket.close();
    return { bytes, ms: performance.now() - start };
  },

  /** Sends every datagram back. */
  udpEcho(_: null): Promise<{ port: number }> {
    const socket = udp();
    const buffer = new Uint8Array(65_536);
    void (async () => {
      for (;;) {
        const [view, from] = await socket.receive(buffer);
        await socket.send(view, from);
      }
    })();
    return Promise.resolve({ port: portOf(socket.addr) });
  },

  /** Round trips of one small datagram after the other, microseconds each. */
  async udpPing({ port, count }: { port: number; count: number }): Promise<number[]> {
    const socket = udp();
    const data = new Uint8Array(PING_BYTES);
    const buffer = new Uint8Array(65_536);
    const to = { transport: "udp", hostname: LOCALHOST, port } as const;
    const samples: number[] = [];
    for (let index = 0; index < count; index++) {
      data[0] = index;
      const start = performance.now();
      await socket.send(data, to);
      const [view] = await socket.receive(buffer);
      samples.push((performance.now() - start) * 1000);
      if (view.length !== data.length || view[0] !== data[0]) throw new Error("another datagram came back");
    }
    socket.close();
    return samples;
  },

  /** Greets every TCP connection with one byte, then sends back what comes. */
  tcpEcho(_: null): Promise<{ port: number }> {
    const listener = Deno.listen({ hostname: LOCALHOST, port: 0 });
    void (async () => {
      for await (const connection of listener) void greetAndEcho(connection);
    })();
    return Promise.resolve({ port: portOf(listener.addr) });
  },

  /** Round trips of one small message after the other on one connection, microseconds each. */
  async tcpPing({ port, count }: { port: number; count: number }): Promise<number[]> {
    using connection = await Deno.connect({ hostname: LOCALHOST, port });
    connection.setNoDelay(true);
    const buffer = new Uint8Array(65_536);
    await connection.read(buffer);
    const data = new Uint8Array(PING_BYTES);
    const samples: number[] = [];
    for (let index = 0; index < count; index++) {
      const start = performance.now();
      await connection.write(data);
      for (let got = 0; got < PING_BYTES;) {
        const read = await connection.read(buffer);
        if (read === null) throw new Error("the connection ended");
        got += read;
      }
      samples.push((performance.now() - start) * 1000);
    }
    return samples;
  },

  /** From dialling to the first byte, milliseconds for each of `count` connections, `atOnce` at a time. */
  async tcpDial(
    { port, count, atOnce = 1 }: { port: number; count: number; atOnce?: number },
  ): Promise<{ samples: number[]; ms: number }> {
    const samples: number[] = [];
    const start = performance.now();
    let left = count;
    const lane = async () => {
      const buffer = new Uint8Array(1);
      while (left-- > 0) {
        const before = performance.now();
        using connection = await Deno.connect({ hostname: LOCALHOST, port });
        if (await connection.read(buffer) !== 1) throw new Error("no greeting");
        samples.push(performance.now() - before);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    return { samples, ms: performance.now() - start };
  },
};

async function greetAndEcho(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    connection.setNoDelay(true);
    await connection.write(Uint8Array.of(1));
    for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
      await connection.write(buffer.subarray(0, read));
    }
  } catch {
    // The other end left.
  } finally {
    connection.close();
  }
}

function udp(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: LOCALHOST, port: 0 });
}

function portOf(address: Deno.Addr): number {
  return "port" in address ? address.port : 0;
}
