import { toEndpoint } from "../../lib/io/driver_socket.ts";
import { acceptWithoutDelay, type Libc, loadLibc } from "../../lib/io/libc.ts";
import { NAME_WORDS } from "../../lib/io/udp_messages.ts";
import { NameReader } from "../../lib/io/udp_names.ts";
import { assertEquals } from "../assert.ts";

const libc = loadLibc();

/**
 * How many sockets at this port send small pieces at once: `TCP_NODELAY` (1) of `IPPROTO_TCP` (6) is set. Other tests of
 * this process have sockets, too.
 */
function undelayed({ getsockname, getsockopt }: Libc, port: number): number {
  const name = new Uint32Array(NAME_WORDS);
  const value = new Int32Array(1);
  let count = 0;
  for (let fd = 3; fd < 16_384; fd++) {
    if (getsockname(fd, name, new Uint32Array([NAME_WORDS * 4])) !== 0) continue;
    if (new NameReader().read(name, 0).port !== port) continue;
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
      const listener = Deno.listen({ hostname, port: 0 });
      const endpoint = toEndpoint(listener.addr);
      assertEquals(acceptWithoutDelay(libc, { ...endpoint, host: "127.0.0.77" }), false);
      assertEquals(undelayed(libc, endpoint.port), 0);
      assertEquals(acceptWithoutDelay(libc, endpoint), true);
      const [client, server] = await Promise.all([
        Deno.connect({ hostname: "127.0.0.1", port: endpoint.port }),
        listener.accept(),
      ]);
      // The listener and what it accepted.
      assertEquals(undelayed(libc, endpoint.port), 2);
      for (const each of [client, server, listener]) each.close();
    }
  },
});
