import { assert, assertEquals, assertStringIncludes } from "../assert.ts";
import { completionScript } from "../../lib/cli/completions.ts";
import { dataOf, run, tool } from "./fixture.ts";

Deno.test("help of a command", async () => {
  assertEquals(
    (await run(["send", "--help"])).stdout,
    `Send something to a peer.

Usage: pilot send <peer> [port] [flags]

Arguments:
  peer  Who gets it
  port  Where to

Flags:
  --message TEXT      What to send
  --count N           How often (default 1)
  --timeout DURATION  How long to wait (default 30s)
  --strict            Fail when unsure
  --mode TEXT         How to send (fast, safe; default safe)
  --tag TEXT          Label (repeatable)
  --json              Print one line of JSON instead of text
  --help              Show what the command does and takes (also -h)

JSON result:
  {sent}

Examples:
  pilot send agent-b --message hello
`,
  );
});

Deno.test("help of a group, also by its other name", async () => {
  for (const group of ["agent", "daemon"]) {
    assertEquals(
      (await run([group, "--help"])).stdout,
      `Usage: pilot ${group} SUBCOMMAND [arguments] [flags]

Subcommands:
  agent start  Summary of agent start
  agent stop   Summary of agent stop

\`pilot help agent start\` tells more about one.
`,
    );
  }
});

Deno.test("the overview lists every visible command and no hidden one", async () => {
  const { stdout } = await run(["help"]);
  for (const command of tool.commands) {
    const listed = stdout.includes(`\n  ${command.name} `);
    assertEquals(listed, command.hidden !== true, command.name);
  }
});

Deno.test("context describes the same commands", async () => {
  const context = await dataOf(["context"]);
  assert(
    typeof context === "object" && context !== null && "commands" in context && "error_codes" in context,
  );
  const { commands, error_codes: codes } = context;
  assert(typeof commands === "object" && commands !== null && typeof codes === "object" && codes !== null);
  assertEquals(
    Object.keys(commands),
    tool.commands.filter((command) => command.hidden !== true).map(({ name }) => name),
  );
  assert("send" in commands && "not_found" in codes);
  assertEquals(commands.send, {
    args: [
      "<peer>",
      "[port]",
      "[--message TEXT]",
      "[--count N]",
      "[--timeout DURATION]",
      "[--strict]",
      "[--mode TEXT]",
      "[--tag TEXT]",
    ],
    flags: {
      "--message": { kind: "string", description: "What to send" },
      "--count": { kind: "number", description: "How often", default: "1" },
      "--timeout": { kind: "duration", description: "How long to wait", default: "30s" },
      "--strict": { kind: "boolean", description: "Fail when unsure" },
      "--mode": { kind: "string", description: "How to send", default: "safe" },
      "--tag": { kind: "string", description: "Label" },
    },
    aliases: [],
    description: "Send something to a peer",
    returns: "{sent}",
  });
});

Deno.test("bash completes groups, subcommands and flags", async () => {
  const table: [string[], string[]][] = [
    [["ag"], ["agent"]],
    [["tr"], ["trust"]],
    [["agent", "st"], ["start", "stop"]],
    [["daemon", "sta"], ["start"]],
    [["--json", "agent", "sto"], ["stop"]],
    [["send", "--m"], ["--message", "--mode"]],
    [["send", "b", "--str"], ["--strict"]],
    [["trust", "add", "b", "--j"], ["--json"]],
    [["handshake", "--he"], ["--help"]],
    [["send", "--se"], []],
  ];
  for (const [words, expected] of table) assertEquals(await bashComplete(words), expected, words.join(" "));
});

Deno.test("zsh and fish get all commands with their summaries", () => {
  const zsh = completionScript(tool, "zsh");
  assertStringIncludes(zsh, "#compdef pilot pilotctl\n");
  assertStringIncludes(zsh, "'send:Send something to a peer'");
  assertStringIncludes(zsh, "'--message:What to send'");
  const fish = completionScript(tool, "fish");
  assertStringIncludes(
    fish,
    "complete -c pilot -f -n '__fish_use_subcommand' -a send -d 'Send something to a peer'",
  );
  assertStringIncludes(fish, "complete -c pilotctl -n '__pilot_at send' -l mode -r -f -a 'fast safe' -d");
  for (const script of [zsh, fish]) assert(!script.includes("secret"));
});

Deno.test("completions need a shell that they know", async () => {
  assertStringIncludes(
    (await run(["completions", "bash"])).stdout,
    "complete -o default -F _pilot pilot pilotctl",
  );
  const { status, stderr } = await run(["completions", "tcsh"]);
  assertEquals(status, 1);
  assertStringIncludes(stderr, "hint:  give one of bash, zsh, fish");
});

/** What bash would offer for the last of `words`. */
async function bashComplete(words: readonly string[]): Promise<string[]> {
  const line = ["pilot", ...words].map((word) => `'${word}'`).join(" ");
  const script = `${completionScript(tool, "bash")}
COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _pilot; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await new Deno.Command("bash", { args: ["-c", script] }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).trim().split("\n").filter((word) => word !== "");
}
