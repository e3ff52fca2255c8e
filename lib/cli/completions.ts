/**
 * Shell completions, made from the command values.
 */

import type { Flag } from "./command.ts";
import { flagLabel } from "./help.ts";
import { GLOBAL_FLAGS, groupCommands, namesOf, type Tool, visibleCommands, visibleFlags } from "./tool.ts";

/** Shells that completions can be made for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = typeof SHELLS[number];

/** Names under which the tool is installed; completions serve all of them. */
const PROGRAMS = ["pilot", "pilotctl"];

interface Choice {
  readonly word: string;
  readonly summary: string;
}

/** What may follow a sequence of words, flags aside. The key `""` is the start of the line. */
type Tree = ReadonlyMap<string, { readonly words: readonly Choice[]; readonly flags: readonly Flag[] }>;

/** The script to source in `shell`. */
export function completionScript(tool: Tool, shell: Shell): string {
  const tree = completionTree(tool);
  if (shell === "bash") return bashScript(tree);
  return shell === "zsh" ? zshScript(tree) : fishScript(tree);
}

function completionTree(tool: Tool): Tree {
  const tree = new Map<string, { words: Choice[]; flags: readonly Flag[] }>();
  const node = (path: string) => {
    const present = tree.get(path) ?? { words: [], flags: GLOBAL_FLAGS };
    tree.set(path, present);
    return present;
  };
  const add = (path: string, choice: Choice) => {
    const { words } = node(path);
    if (!words.some((known) => known.word === choice.word)) words.push(choice);
  };
  for (const command of visibleCommands(tool)) {
    for (const name of namesOf(command)) {
      const [first = "", second] = name.split(" ");
      const members = groupCommands(tool, first).map((member) => member.name.split(" ").at(-1));
      add("", { word: first, summary: members.length > 0 ? members.join(", ") : command.summary });
      if (second !== undefined) add(first, { word: second, summary: command.summary });
      const flags = [...visibleFlags(command), ...GLOBAL_FLAGS];
      tree.set(name, { words: node(name).words, flags });
    }
  }
  return tree;
}

/** Shell code that leaves the words without flags, at most two, in `first` and `second`. */
function bashScript(tree: Tree): string {
  const cases = [...tree].map(([path, { words, flags }]) => {
    const candidates = [...words.map((choice) => choice.word), ...flags.map((flag) => `--${flag.name}`)];
    return `    ${quote(path)}) candidates=${quote(candidates.join(" "))} ;;`;
  });
  return `# bash completion for ${PROGRAMS.join(" and ")}
_pilot_candidates() {
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
}
_pilot() {
  local current="\${COMP_WORDS[COMP_CWORD]}" first="" second="" candidates="" index
  for ((index = 1; index < COMP_CWORD; index++)); do
    [[ \${COMP_WORDS[index]} == -* ]] && continue
    if [[ -z $first ]]; then first="\${COMP_WORDS[index]}"
    elif [[ -z $second ]]; then second="\${COMP_WORDS[index]}"; fi
  done
  _pilot_candidates "$first\${second:+ $second}" || _pilot_candidates "$first" || return
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
}
complete -o default -F _pilot ${PROGRAMS.join(" ")}
`;
}

function zshScript(tree: Tree): string {
  const cases = [...tree].map(([path, { words, flags }]) => {
    const choices = [
      ...words.map((choice) => `${escapeColon(choice.word)}:${choice.summary}`),
      ...flags.map((flag) => `--${flag.name}:${flag.summary}`),
    ];
    return `    ${quote(path)}) candidates=(${choices.map(quote).join(" ")}) ;;`;
  });
  return `#compdef ${PROGRAMS.join(" ")}
_pilot_candidates() {
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
}
_pilot() {
  local -a candidates plain
  plain=(\${\${words[2,CURRENT-1]}:#-*})
  _pilot_candidates "\${(j: :)plain[1,2]}" || _pilot_candidates "\${plain[1]}" || return 1
  _describe -o 'command' candidates || _files
}
compdef _pilot ${PROGRAMS.join(" ")}
`;
}

function fishScript(tree: Tree): string {
  const lines: string[] = [];
  for (const program of PROGRAMS) {
    for (const [path, { words, flags }] of tree) {
      const depth = path === "" ? 0 : path.split(" ").length;
      const names = words.map((choice) => choice.word);
      const at = path === ""
        ? "__fish_use_subcommand"
        : `__pilot_at ${path}${
          depth === 1 && names.length > 0 ? `; and not __fish_seen_subcommand_from ${names.join(" ")}` : ""
        }`;
      for (const choice of words) {
        lines.push(`complete -c ${program} -f -n ${quote(at)} -a ${choice.word} -d ${quote(choice.summary)}`);
      }
      for (const flag of flags) {
        const value = flag.kind === "boolean" ? "" : " -r";
        const choices = flag.choices === undefined ? "" : ` -f -a ${quote(flag.choices.join(" "))}`;
        lines.push(
          `complete -c ${program} -n ${quote(at)} -l ${flag.name}${value}${choices} -d ${
            quote(`${flag.summary} [${flagLabel(flag)}]`)
          }`,
        );
      }
    }
  }
  return `# fish completion for ${PROGRAMS.join(" and ")}
function __pilot_at
    set -l plain
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or set -a plain $word
    end
    test (count $plain) -ge (count $argv); and test "$plain[1..(count $argv)]" = "$argv"
end
${lines.join("\n")}
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function escapeColon(text: string): string {
  return text.replaceAll(":", "\\:");
}
