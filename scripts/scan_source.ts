/**
 * Enough of a TypeScript lexer to know what a file imports and which names it uses.
 */

/** An import or re-export of another module. */
export interface ImportSite {
  readonly specifier: string;
  /** From 1. */
  readonly line: number;
  /** `import type ...` and `export type ...`: nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

/** A source without comments, and with every string replaced by a number that points into `strings`. */
export interface Scanned {
  /** As many lines as the source has. */
  readonly code: string;
  readonly strings: readonly string[];
}

/** Words after which a slash begins a regular expression, not a division. */
const BEFORE_REGEXP =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|else|do|instanceof|yield|await)$/;

/** Separates code from comments, strings and regular expressions. */
export function scanSource(source: string): Scanned {
  const strings: string[] = [];
  let code = "";
  let at = 0;
  /** Depth of braces at which each open template literal goes on. */
  const templates: number[] = [];
  let depth = 0;

  const keepLines = (text: string) => code += text.replace(/[^\n]/g, "");
  const template = () => {
    const begin = at;
    while (at < source.length) {
      if (source[at] === "\\") at += 2;
      else if (source[at] === "`") {
        keepLines(source.slice(begin, at++));
        return;
      } else if (source.startsWith("${", at)) {
        keepLines(source.slice(begin, at));
        at += 2;
        code += "(";
        templates.push(depth++);
        return;
      } else at++;
    }
  };

  while (at < source.length) {
    const character = source[at] ?? "";
    if (source.startsWith("//", at)) {
      const end = source.indexOf("\n", at);
      at = end < 0 ? source.length : end;
    } else if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2);
      const next = end < 0 ? source.length : end + 2;
      keepLines(source.slice(at, next));
      code += " ";
      at = next;
    } else if (character === '"' || character === "'") {
      const end = endOfQuoted(source, at);
      code += `"${strings.push(source.slice(at + 1, end)) - 1}"`;
      at = end + 1;
    } else if (character === "`") {
      at++;
      template();
    } else if (character === "/" && beginsRegExp(code)) {
      at = endOfRegExp(source, at);
      code += " 0 ";
    } else {
      at++;
      if (character === "{") depth++;
      if (character === "}" && --depth === templates.at(-1)) {
        templates.pop();
        code += ")";
        template();
      } else code += character;
    }
  }
  return { code, strings };
}

/** Everything a scanned file imports, static or dynamic, values or types. */
export function importsOf(scanned: Scanned): ImportSite[] {
  const sites: ImportSite[] = [];
  const patterns = [
    /\b(?:import|export)\s+(?<type>type\s+)?(?:[\w$*{][^;"]*?)?\bfrom\s*"(?<string>\d+)"/g,
    /\bimport\s*"(?<string>\d+)"/g,
    /\bimport\s*\(\s*"(?<string>\d+)"/g,
  ];
  for (const pattern of patterns) {
    for (const match of scanned.code.matchAll(pattern)) {
      const specifier = scanned.strings[Number(match.groups?.["string"])];
      if (specifier === undefined) continue;
      const line = lineAt(scanned.code, match.index + match[0].length);
      sites.push({ specifier, line, typeOnly: match.groups?.["type"] !== undefined });
    }
  }
  return sites.sort((a, b) => a.line - b.line);
}

/** Where a scanned file uses one of `words` as a name of its own (`Date`, not `message.Date`). */
export function usesOf(scanned: Scanned, words: readonly string[]): { word: string; line: number }[] {
  const pattern = new RegExp(
    `(?<![\\w$])(?<!(?<!\\.\\.)\\.)(?:${words.map(escapeRegExp).join("|")})(?![\\w$])(?!\\s*\\??:(?!:))`,
    "g",
  );
  return [...scanned.code.matchAll(pattern)].map((match) => ({
    word: match[0],
    line: lineAt(scanned.code, match.index),
  }));
}

function endOfQuoted(source: string, begin: number): number {
  let at = begin + 1;
  while (at < source.length && source[at] !== source[begin] && source[at] !== "\n") {
    at += source[at] === "\\" ? 2 : 1;
  }
  return at;
}

function beginsRegExp(before: string): boolean {
  const text = before.trimEnd();
  return text === "" || /[(,=:[!&|?{};+\-*%<>~^]$/.test(text) || BEFORE_REGEXP.test(text);
}

function endOfRegExp(source: string, begin: number): number {
  let inClass = false;
  for (let at = begin + 1; at < source.length; at++) {
    const character = source[at];
    if (character === "\n") return begin + 1;
    if (character === "\\") at++;
    else if (character === "[") inClass = true;
    else if (character === "]") inClass = false;
    else if (character === "/" && !inClass) {
      while (/[a-z]/.test(source[at + 1] ?? "")) at++;
      return at + 1;
    }
  }
  return source.length;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function lineAt(code: string, index: number): number {
  return code.slice(0, index).split("\n").length;
}
