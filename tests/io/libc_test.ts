import { toEndpoint } from "../../lib/io/driver_socket.ts";
import { acceptWithoutDelay, type Libc, loadLibc } from "../../lib/io/libc.ts";
import { assertEquals } from "../assert.ts";

const libc = loadLibc();

/** How many sockets of this process send small pieces at once: `TCP_NODELAY` (1) of `IPPROTO_TCP` (6) is set. */
function undelayed({ getsockopt }: Libc): number {
  let count = 0;
  for (let fd = 3; fd < 1_024; fd++) {
    const value = new Int32Array(1);
    if (getsockopt(fd, 6, 1, value, new Uint32Array([4])) === 0 && value[0] !== 0) count++;
  }
  return count;
}

Deno.test({
  name: "libc: connections inherit from their listener that small pieces leave at once",
  ignore: libc === undefined,
  fn: async () => {
    if (libc === undefined) return;
    for (const hostname of ["127.0.0.1", "0.0.0.0"]) {
      const before = undelayed(libc);
      const listener = Deno.listen({ hostname, port: 0 });
      const endpoint = toEndpoint(listener.addr);
      assertEquals(acceptWithoutDelay(libc, { ...endpoint, host: "127.0.0.77" }), false);
      assertEquals(acceptWithoutDelay(libc, endpoint), true);
      const [client, server] = await Promise.all([
        Deno.connect({ hostname: "127.0.0.1", port: endpoint.port }),
        listener.accept(),
      ]);
      assertEquals(undelayed(libc), before + 2);
      for (const each of [client, server, listener]) each.close();
    }
  },
});
