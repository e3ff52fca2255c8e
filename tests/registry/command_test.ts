import type { Context } from "../../lib/cli/command.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { serveCommand } from "../../services/registry/commands/serve.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../assert.ts";
import { member, RawClient } from "./tcp.ts";

/** What a run of the command said. */
interface Said {
  text: string;
  data: object;
}

/** Runs `registry serve` with flags until `use` has done its work. */
async function serve(
  flags: Readonly<Record<string, string>>,
  options: { env?: Readonly<Record<string, string>>; use: (said: Said) => Promise<void> },
): Promise<void> {
  const control = new AbortController();
  const ready = Promise.withResolvers<Said>();
  const value = (name: string) =>
    flags[name] ?? serveCommand.flags.find((flag) => flag.name === name)?.default;
  const context: Context = {
    args: {},
    rest: [],
    flags: {
      has: (name) => flags[name] !== undefined,
      string: value,
      boolean: (name) => flags[name] === "true",
      number: () => undefined,
      duration: () => undefined,
      strings: () => [],
    },
    json: false,
    out: {
      text: () => {},
      progress: () => {},
      result: (data, render) => ready.resolve({ data, text: render() ?? "" }),
    },
    env: (name) => options.env?.[name],
    signal: control.signal,
    exit: () => {},
  };
  const running = serveCommand.run(context);
  try {
    await options.use(await Promise.race([ready.promise, running.then(() => ready.promise)]));
  } finally {
    control.abort();
    await running.catch(() => {});
  }
}

Deno.test("registry serve says where it listens once it does", async () => {
  const directory = await Deno.makeTempDir();
  const env = { HOME: directory };
  const flags = { "listen": "127.0.0.1:0", "log-level": "error" };
  await serve(flags, {
    env,
    use: async ({ text, data }) => {
      assertMatch(text, /^✓ Registry listening on 127\.0\.0\.1:[1-9]\d*\n/);
      assertEquals(member(data, "address"), "127.0.0.1");
      assertEquals(member(data, "store"), `${directory}/.pilot/registry.db`);
      const port = member(data, "port");
      assert(typeof port === "number" && text.includes(`:${port}`));
      const client = await RawClient.connect(port);
      assertEquals(member(await client.ask({ type: "beacon_list" }), "type"), "beacon_list_ok");
      client.close();
    },
  });
  await serve({ ...flags, store: "~/other.db" }, {
    env,
    use: ({ data }) => {
      assertEquals(member(data, "store"), `${directory}/other.db`);
      return Promise.resolve();
    },
  });
  await serve(flags, {
    env: { ...env, PILOT_HOME: `${directory}/home` },
    use: ({ data }) => {
      assertEquals(member(data, "store"), `${directory}/home/registry.db`);
      return Promise.resolve();
    },
  });
  await Deno.remove(directory, { recursive: true });
});

Deno.test("registry serve explains what keeps it from starting", async () => {
  const use = () => Promise.resolve();
  const nowhere = await assertRejects(() => serve({ listen: "127.0.0.1:0" }, { use }), PilotError);
  assertEquals(nowhere.code, "invalid_argument");
  assertMatch(nowhere.hint ?? "", /--store/);
  const level = { "log-level": "loud", "store": "/nonexistent/x.db" };
  assertEquals((await assertRejects(() => serve(level, { use }), PilotError)).code, "invalid_argument");
});
