import { assert, assertEquals, assertRejects } from "../assert.ts";
import type { Context } from "../../lib/cli/command.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { serveCommand } from "../../services/beacon/commands/serve.ts";
// The command loads it when it runs, and with it native libraries, which belong to the process and not to a test.
import "../../services/beacon/serve.ts";

function contextOf(values: Record<string, string>, signal: AbortSignal) {
  const results: { data: object; text: string | void }[] = [];
  const context: Context = {
    args: {},
    rest: [],
    json: false,
    signal,
    env: () => undefined,
    exit: () => {},
    flags: {
      has: (name) => name in values,
      string: (name) => values[name],
      boolean: () => false,
      number: (name) => values[name] === undefined ? undefined : Number(values[name]),
      duration: () => undefined,
      strings: (name) => values[name] === undefined ? [] : [values[name]],
    },
    out: {
      text: () => {},
      progress: () => {},
      result: (data, render) => void results.push({ data, text: render() }),
    },
  };
  return { context, results };
}

Deno.test("command: prints where it listens and runs until it is told to stop", async () => {
  const stop = new AbortController();
  const { context, results } = contextOf({ listen: "127.0.0.1:0", "log-level": "error" }, stop.signal);
  const running = serveCommand.run(context);
  for (let tries = 0; results.length === 0 && tries < 1000; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const [result] = results;
  const data: Record<string, unknown> = { ...result?.data };
  assert(typeof data["port"] === "number" && data["port"] > 0);
  const { port, alt_port } = data;
  assert(typeof alt_port === "number" && alt_port > 0 && alt_port !== port);
  assertEquals(data, { address: "127.0.0.1", port, alt_port, listen: [`127.0.0.1:${port}`] });
  assertEquals(result?.text, `✓ Beacon listening on 127.0.0.1:${data["port"]}`);
  stop.abort();
  await running;
});

Deno.test("command: refuses identifiers and levels that make no sense", async () => {
  const { signal } = new AbortController();
  for (const values of [{ "beacon-id": "1.5" }, { "beacon-id": "-1" }, { "log-level": "loud" }]) {
    const { context } = contextOf({ listen: "127.0.0.1:0", ...values }, signal);
    const error = await assertRejects(() => serveCommand.run(context), PilotError);
    assertEquals(error.code, "invalid_argument");
  }
});
