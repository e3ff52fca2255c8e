/**
 * The commands about the tool itself.
 */

import type { Command } from "./command.ts";
import { pretty } from "./output.ts";
import type { Shell } from "./completions.ts";
import type { Tool } from "./tool.ts";

/** `context` and `completions`; `tool` is asked only when one of them runs. */
export function builtinCommands(tool: () => Tool): Command[] {
  return [{
    name: "context",
    summary: "List all commands, flags and error codes for programs",
    args: [],
    flags: [],
    returns: "{version, commands, error_codes, global_flags, environment, config_file}",
    async run({ out }) {
      const { describeTool } = await import("./describe.ts");
      const data = describeTool(tool());
      out.result(data, () => pretty(data));
    },
  }, {
    name: "completions",
    summary: "Print the completion script of a shell",
    args: [{ name: "shell", summary: "bash, zsh or fish" }],
    flags: [],
    returns: "{shell, script}",
    examples: ["completions bash > ~/.local/share/bash-completion/completions/pilot"],
    async run({ args, out }) {
      const { PilotError } = await import("../wire/error.ts");
      const { completionScript, SHELLS } = await import("./completions.ts");
      const shell: Shell | undefined = SHELLS.find((known) => known === args["shell"]);
      if (shell === undefined) {
        throw new PilotError("invalid_argument", `no completions for ${args["shell"]}`, {
          hint: `give one of ${SHELLS.join(", ")}`,
        });
      }
      const script = completionScript(tool(), shell);
      out.result({ shell, script }, () => script.trimEnd());
    },
  }];
}
