import { VERSION } from "../../lib/wire/version.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { inTempFolder, pilot, shim, shimPath, startPilot } from "./program.ts";

Deno.test("exit status and streams of the real program", async () => {
  await inTempFolder(async (folder) => {
    const env = { PILOT_HOME: folder };
    const table: [string[], number, RegExp, RegExp][] = [
      [["--version"], 0, /^pilot \d+\.\d+\.\d+\n$/, /^$/],
      [["help"], 0, /^pilot connects[\s\S]*agent start/, /^$/],
      [["agent", "start", "--help"], 0, /--hostname NAME/, /^$/],
      [["daemon", "stop", "-h"], 0, /Stop the agent/, /^$/],
      [[], 2, /^$/, /Usage: pilot COMMAND/],
      [["sttaus"], 2, /^$/, /^error: unknown command: sttaus\nhint: {2}did you mean `pilot status`\?/],
      [["sttaus", "--json"], 1, /^$/, /^{"code":"invalid_argument",.*"status":"error"}\n$/],
      [["info"], 1, /^$/, /^error: .*running.*\nhint: {2}pilot agent start\ncode: {2}not_running\n$/],
      [["info", "--json"], 1, /^$/, /^{"code":"not_running","hint":"pilot agent start",/],
      [["agent", "stop"], 1, /^$/, /^error: the agent is not running\n/],
      [["agent", "status"], 0, /^Agent: stopped\n/, /^$/],
      [["agent", "status", "--check"], 1, /^$/, /^$/],
      [
        ["status", "--json"],
        0,
        /^{"data":{"running":false,"responsive":false,"pid":0,.*"status":"ok"}\n$/,
        /^$/,
      ],
      [["inbox", "--json"], 0, /^{"data":{"messages":\[\],"total":0,/, /^$/],
      [["received"], 0, /^no received files in /, /^$/],
      [["lookup", "abc"], 1, /^$/, /not a node id: abc/],
      [["disconnect", "0"], 1, /^$/, /not a connection number: 0/],
      [["connect", "b", "70000", "--message", "x"], 1, /^$/, /not a port: 70000/],
      [["ping", "b", "--count", "0"], 1, /^$/, /--count is not a whole number/],
    ];
    for (const [args, code, stdout, stderr] of table) {
      const finished = await pilot(args, { env });
      const shown = `pilot ${args.join(" ")}`;
      assertEquals(finished.code, code, `${shown}\n${finished.stdout}${finished.stderr}`);
      assertMatch(finished.stdout, stdout, shown);
      assertMatch(finished.stderr, stderr, shown);
    }
  });
});

Deno.test("both names work, also through links and from anywhere", async () => {
  await inTempFolder(async (folder) => {
    const options = { cwd: folder };
    assertEquals((await shim(shimPath("pilot"), ["--version"], options)).stdout, `pilot ${VERSION}\n`);
    await Deno.mkdir(`${folder}/a b`);
    await Deno.symlink(shimPath("pilotctl"), `${folder}/a b/first`);
    await Deno.symlink("a b/first", `${folder}/second`);
    assertEquals((await shim(`${folder}/second`, ["--version"], options)).stdout, `pilotctl ${VERSION}\n`);
    assertStringIncludes(
      (await shim(shimPath("pilotctl"), ["help"], options)).stdout,
      "Usage: pilotctl COMMAND",
    );
    const args = await shim(shimPath("pilot"), ["find", "a b", "*"], options);
    assertStringIncludes(args.stderr, "further argument: *");
    const without = await shim(shimPath("pilot"), ["--version"], { env: { PILOT_DENO: "/no/such/deno" } });
    assertEquals([without.code, without.stdout], [1, ""]);
    assertStringIncludes(without.stderr, "error: deno is not installed\nhint:  ");
  });
});

Deno.test("the version is the one of the package", async () => {
  const config: { version: string } = JSON.parse(
    await Deno.readTextFile(new URL("../../deno.json", import.meta.url)),
  );
  assertEquals(VERSION, config.version);
});

Deno.test("every command explains itself, and the list is complete", async () => {
  const context: { data: { commands: Record<string, { description: string; returns: string }> } } = JSON
    .parse(
      (await pilot(["context", "--json"])).stdout,
    );
  const names = Object.keys(context.data.commands);
  for (
    const name of [
      "agent start",
      "agent stop",
      "agent status",
      "status",
      "info",
      "find",
      "ping",
      "trust add",
      "trust list",
      "trust pending",
      "trust approve",
      "trust reject",
      "trust remove",
      "connect",
      "inbox",
      "received",
      "peers",
      "connections",
      "disconnect",
      "set-hostname",
      "clear-hostname",
      "set-public",
      "set-private",
      "deregister",
      "lookup",
      "registry serve",
      "beacon serve",
      "context",
      "completions",
    ]
  ) assert(names.includes(name), name);
  for (const [name, { description, returns }] of Object.entries(context.data.commands)) {
    assert(description.length > 10 && !description.endsWith("."), name);
    assert(returns.length > 2, name);
  }
});

Deno.test("the names of other implementations lead to the same commands", async () => {
  const table: [string[], string][] = [
    [["daemon", "start"], "agent start"],
    [["daemon", "status"], "agent status"],
    [["handshake"], "trust add"],
    [["pending"], "trust pending"],
    [["approve"], "trust approve"],
    [["reject"], "trust reject"],
    [["untrust"], "trust remove"],
  ];
  const answers = await Promise.all(table.map(([words]) => pilot(["help", ...words, "--json"])));
  assertEquals(answers.map(({ stdout }) => JSON.parse(stdout).data.name), table.map(([, name]) => name));
});

Deno.test("Ctrl-C ends a command that waits for its input, with 130", async () => {
  const child = startPilot(["connect", "agent-b"], { env: { PILOT_HOME: "/nonexistent" } });
  await new Promise((resolve) => setTimeout(resolve, 500));
  child.kill("SIGINT");
  const { code, stdout, stderr } = await child.output();
  await child.stdin.close().catch(() => {});
  assertEquals([code, stdout.length, stderr.length], [130, 0, 0]);
});

Deno.test("a reader that goes away is no error", async () => {
  const script = `"$0" run -A --quiet "$1" context | head -c 1`;
  const { code, stderr } = await new Deno.Command("sh", {
    args: ["-c", script, Deno.execPath(), new URL("../../cli.ts", import.meta.url).pathname],
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
});
