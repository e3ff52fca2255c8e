import { assertEquals, assertStringIncludes } from "../assert.ts";
import { parseCommandLine } from "../../lib/cli/parse.ts";
import { dataOf, run, tool } from "./fixture.ts";

const SENT = {
  peer: "b",
  port: null,
  message: null,
  count: 1,
  timeout: 30_000,
  strict: false,
  mode: "safe",
  tags: [],
};

Deno.test("flags and arguments mix freely", async () => {
  const table: [string[], object][] = [
    [["send", "b"], {}],
    [["send", "b", "80"], { port: "80" }],
    [["send", "--message", "hi", "b"], { message: "hi" }],
    [["send", "--message=hi", "b"], { message: "hi" }],
    [["send", "b", "--message="], { message: "" }],
    [["send", "b", "--message", ""], { message: "" }],
    [["send", "b", "--message=--x=y"], { message: "--x=y" }],
    [["send", "b", "--message", "a=b"], { message: "a=b" }],
    [["send", "b", "--message", "-h"], { message: "-h" }],
    [["send", "b", "--message", "-1"], { message: "-1" }],
    [["send", "b", "--message", "one", "--message", "two"], { message: "two" }],
    [["send", "b", "--strict"], { strict: true }],
    [["send", "--strict", "b"], { strict: true }],
    [["send", "b", "--strict=false"], { strict: false }],
    [["send", "b", "--strict", "false"], { strict: false }],
    [["send", "b", "--strict=1"], { strict: true }],
    [["send", "b", "--timeout", "1m30s"], { timeout: 90_000 }],
    [["send", "b", "--timeout", "2"], { timeout: 2_000 }],
    [["send", "b", "--count", "3"], { count: 3 }],
    [["send", "b", "--mode", "fast"], { mode: "fast" }],
    [["send", "b", "--tag", "x", "--tag=y"], { tags: ["x", "y"] }],
    [["send", "--", "b", "--strict"], { port: "--strict" }],
    [["send", "-5"], { peer: "-5" }],
    [["send", "-"], { peer: "-" }],
  ];
  for (const [line, expected] of table) {
    assertEquals(await dataOf(line), { ...SENT, ...expected }, line.join(" "));
  }
});

Deno.test("--json counts anywhere before the end marker", async () => {
  for (const line of [["--json", "run", "a"], ["run", "--json", "a"], ["run", "a", "--json"]]) {
    assertEquals((await run(line)).stdout, '{"data":{"rest":["a"]},"status":"ok"}\n');
  }
  assertEquals((await run(["run", "--", "--json"])).stdout, "--json\n");
});

Deno.test("what is wrong is an error that names what is right", async () => {
  const table: [string[], string, string][] = [
    [["send"], "send needs <peer>", "usage: pilot send <peer> [port] [flags]"],
    [["send", "b", "1", "c"], "send does not take a further argument: c", "usage: pilot send"],
    [["send", "b", "1", "strict"], "further argument: strict", "did you mean --strict?"],
    [["send", "b", "--mesage", "x"], "unknown flag for send: --mesage", "did you mean --message?"],
    [["send", "b", "-message", "x"], "unknown flag for send: -message", "did you mean --message?"],
    [["send", "b", "--jsno"], "unknown flag for send: --jsno", "did you mean --json?"],
    [["send", "b", "-x"], "unknown flag for send: -x", "`pilot help send` lists the flags"],
    [["send", "b", "--Message=x"], "unknown flag for send: --Message", "did you mean --message?"],
    [["send", "b", "--message"], "--message needs a value", "write --message VALUE"],
    [["send", "b", "--message", "--strict"], "--message needs a value", "--message=--strict"],
    [["send", "b", "--message", "--json"], "--message needs a value", "write --message VALUE"],
    [["send", "b", "--count", "many"], '--count does not take "many"', "give a number"],
    [["send", "b", "--count="], '--count does not take ""', "give a number"],
    [["send", "b", "--timeout", "soon"], '--timeout does not take "soon"', "a duration, such as 10s"],
    [["send", "b", "--timeout", "-1s"], '--timeout does not take "-1s"', "a duration"],
    [["send", "b", "--strict=perhaps"], '--strict does not take "perhaps"', "true or false"],
    [["send", "b", "--mode", "slow"], '--mode does not take "slow"', "one of fast, safe"],
    [["agent"], "agent needs a subcommand", "one of: start, stop"],
    [["daemon"], "daemon needs a subcommand", "one of: start, stop"],
    [["--home", "x", "send", "b"], "a command must come before --home", "pilot COMMAND --home"],
    [["--versoin"], "unknown flag: --versoin", "did you mean --version?"],
    [
      ["trust", "--hom", "x"],
      "unknown flag for trust list: --hom",
      "`pilot help trust list` lists the flags",
    ],
    [["trust", "list", "x"], "trust list does not take a further argument: x", "usage: pilot trust list"],
  ];
  for (const [line, message, hint] of table) {
    const { status, stdout, stderr } = await run(line);
    const shown = line.join(" ");
    // `--json` within the line makes the same error one line of JSON.
    const [error, suggestion] = line.includes("--json") ? fromJson(stderr) : fromText(stderr);
    assertEquals([status, stdout], [1, ""], shown);
    assertStringIncludes(error, message, shown);
    assertStringIncludes(suggestion, hint, shown);
  }
});

Deno.test("an unknown command suggests the nearest", async () => {
  const table: [string[], string][] = [
    [["sned"], "`pilot send`"],
    [["agnet"], "`pilot agent`"],
    [["agent", "strat"], "`pilot agent start`"],
    [["daemon", "stpo"], "`pilot daemon stop`"],
    [["trust", "ad"], "`pilot trust add`"],
    [["start"], "`pilot agent start`"],
    [["handshaek", "b"], "`pilot handshake`"],
  ];
  for (const [line, suggestion] of table) {
    const { status, stderr } = await run(line);
    assertEquals(status, 2);
    assertStringIncludes(stderr, `error: unknown command: ${line[0]}`);
    assertStringIncludes(stderr, `hint:  did you mean ${suggestion}?`, line.join(" "));
  }
  assertStringIncludes((await run(["weather"])).stderr, "hint:  `pilot help` lists the commands\n");
  assertEquals((await run(["weather", "--json"])).status, 1);
});

Deno.test("aliases run the same command", async () => {
  for (const line of [["agent", "start"], ["daemon", "start"]]) {
    assertEquals(await dataOf(line), { ran: "agent start" });
  }
  assertEquals(await dataOf(["handshake", "b"]), { ran: "trust add" });
  assertEquals(await dataOf(["trust"]), { ran: "trust list" });
  assertEquals(await dataOf(["secret"]), { ran: "secret" });
});

Deno.test("help never runs the command", () => {
  const table: [string[], string | undefined][] = [
    [["--help"], undefined],
    [["-h"], undefined],
    [["help"], undefined],
    [["send", "--help"], "send"],
    [["send", "-h"], "send"],
    [["send", "b", "--nonsense", "--help"], "send"],
    [["send", "--message", "--help"], "send"],
    [["agent", "start", "--help"], "agent start"],
    [["daemon", "stop", "-h"], "agent stop"],
    [["agent", "--help"], "agent"],
    [["daemon", "-h"], "daemon"],
    [["help", "agent"], "agent"],
    [["help", "send"], "send"],
    [["help", "trust", "add"], "trust add"],
    [["help", "handshake"], "trust add"],
    [["help", "trust"], "trust"],
    [["trust", "--help"], "trust"],
  ];
  for (const [line, expected] of table) {
    const parsed = parseCommandLine(tool, line);
    const topic = parsed.kind === "help" ? parsed.topic : parsed.kind;
    assertEquals(typeof topic === "object" ? topic.name : topic, expected, line.join(" "));
  }
});

Deno.test("a peer named help is still reachable", async () => {
  assertEquals(await dataOf(["send", "help"]), { ...SENT, peer: "help" });
  assertEquals(await dataOf(["send", "--", "--help"]), { ...SENT, peer: "--help" });
});

function fromText(stderr: string): [string, string] {
  const [error = "", hint = "", ...more] = stderr.trimEnd().split("\n");
  assertEquals(more, ["code:  invalid_argument"]);
  return [error.replace("error: ", ""), hint.replace("hint:  ", "")];
}

function fromJson(stderr: string): [string, string] {
  const { message, hint, status, code }: Record<string, string> = JSON.parse(stderr);
  assertEquals([status, code], ["error", "invalid_argument"]);
  return [message ?? "", hint ?? ""];
}
