/** A registry as a process of its own: `serve_main.ts STORE`. Prints its port when ready. */

import { Log } from "../../lib/io/log.ts";
import { serveRegistry } from "../../services/registry/serve.ts";

if (import.meta.main) {
  const [store = ""] = Deno.args;
  const control = new AbortController();
  const server = await serveRegistry({
    listen: "127.0.0.1:0",
    store,
    log: new Log(),
    signal: control.signal,
  });
  console.log(server.port);
  await server.finished;
}
