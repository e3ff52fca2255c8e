/**
 * Checks who imports whom, and that the pure layers stay pure. Run by `deno task ok`.
 *
 * The rules are the table below: bytes and decisions at the bottom know nothing of sockets, clocks and commands.
 */

import { type ImportSite, importsOf, type Scanned, scanSource, usesOf } from "./scan_source.ts";

/** What one layer may do beyond importing itself. */
interface Layer {
  /** The files of the layer: a folder, or one file. */
  readonly path: string;
  /** Folders and files it may import. */
  readonly imports: readonly string[];
  /** Folders it may import types of. */
  readonly types?: readonly string[];
  /** Outside packages; a trailing slash stands for all modules below. */
  readonly packages?: readonly string[];
  /** Whether it may import `node:` modules. */
  readonly node?: boolean;
  /** Names that it must not use. */
  readonly impure?: readonly string[];
}

const OUTSIDE_WORLD = [
  "Deno",
  "setTimeout",
  "setInterval",
  "Math.random",
  "crypto.getRandomValues",
  "getRandomValues",
  "crypto.randomUUID",
  "randomUUID",
  "globalThis",
];
const IMPURE = [...OUTSIDE_WORLD, "Date", "performance", "console", "async", "await"];
const IMPURE_BUT_ASYNC = [...OUTSIDE_WORLD, "Date", "performance", "console"];

const ANYTHING = ["lib", "services", "tests", "scripts", "cli.ts", "mod.ts", "deno.json"];

/** The table. The first layer whose path fits a file holds. */
export const LAYERS: readonly Layer[] = [
  { path: "lib/wire", imports: [], impure: IMPURE },
  { path: "lib/crypto", imports: ["lib/wire"], packages: ["@noble/", "@std/crypto/"], impure: IMPURE },
  { path: "lib/core", imports: ["lib/wire", "lib/crypto"], impure: IMPURE },
  { path: "lib/registry", imports: ["lib/wire", "lib/crypto", "lib/core"], impure: IMPURE },
  { path: "lib/beacon", imports: ["lib/wire", "lib/crypto", "lib/core"], impure: IMPURE },
  {
    path: "lib/io",
    imports: ["lib/wire", "lib/crypto", "lib/core/machine.ts"],
    packages: ["ws"],
    node: true,
  },
  { path: "lib/client", imports: ["lib/wire", "lib/io"], impure: OUTSIDE_WORLD },
  // The one kind of error that users see belongs to every layer.
  { path: "lib/cli", imports: ["lib/wire/error.ts"], packages: ["@std/cli/"], impure: IMPURE_BUT_ASYNC },
  { path: "services/*", imports: ["lib"], node: true },
  { path: "cli.ts", imports: ["services/*/commands", "lib/cli", "lib/wire/version.ts"] },
  { path: "mod.ts", imports: ["lib/client", "lib/wire/error.ts"], types: ["lib"] },
  // The assertion package passes through one file, so that replacing it touches one place.
  { path: "tests/assert.ts", imports: [], packages: ["@std/assert"] },
  { path: "tests", imports: ANYTHING, packages: ["@noble/", "@std/crypto/"], node: true },
  { path: "scripts", imports: ANYTHING, packages: ["@noble/"], node: true },
];

const ROOTS = ["lib", "services", "tests", "scripts", "cli.ts", "mod.ts"];

/** What is wrong below `root`, one line each: `lib/wire/packet.ts:3: must not import ...`. */
export async function checkLayers(root: string): Promise<{ files: number; problems: string[] }> {
  const problems: string[] = [];
  let files = 0;
  for (const path of await sourceFiles(root)) {
    files++;
    problems.push(...checkFile(path, await Deno.readTextFile(`${root}/${path}`)));
  }
  return { files, problems };
}

/** What is wrong with one file; `path` is relative to the root. */
export function checkFile(path: string, source: string): string[] {
  const layer = LAYERS.find((candidate) => isBelow(path, candidate.path));
  if (layer === undefined) return [`${path}:1: belongs to no layer`];
  const scanned = scanSource(source);
  const imports = importsOf(scanned).flatMap((site) => {
    const problem = importProblem(path, layer, site);
    return problem === undefined ? [] : [`${path}:${site.line}: ${problem}`];
  });
  return [...imports, ...purityProblems(path, layer, scanned)];
}

function importProblem(path: string, layer: Layer, site: ImportSite): string | undefined {
  const { specifier } = site;
  if (specifier.startsWith("node:")) {
    return layer.node === true ? undefined : `must not import ${specifier}`;
  }
  if (specifier.startsWith("./") || specifier.startsWith("../")) {
    const target = resolve(path, specifier);
    const allowed = [ownFolder(path, layer), ...layer.imports, ...(site.typeOnly ? layer.types ?? [] : [])];
    return allowed.some((folder) => isBelow(target, folder)) ? undefined : `must not import ${target}`;
  }
  const known = (layer.packages ?? []).some((name) =>
    name.endsWith("/") ? specifier.startsWith(name) : specifier === name
  );
  return known ? undefined : `must not import the package ${specifier}`;
}

function purityProblems(path: string, layer: Layer, scanned: Scanned): string[] {
  if (layer.impure === undefined) return [];
  return usesOf(scanned, layer.impure).map(({ word, line }) => `${path}:${line}: must not use ${word}`);
}

/** What a file may always import: its own layer, where each service is a layer of its own. */
function ownFolder(path: string, layer: Layer): string {
  if (!layer.path.includes("*")) return layer.path;
  return path.split("/").slice(0, layer.path.split("/").length).join("/");
}

/** Whether `path` is `folder` or lies below it; a `*` in `folder` stands for one name. */
function isBelow(path: string, folder: string): boolean {
  const names = path.split("/");
  return folder.split("/").every((name, index) =>
    name === names[index] || (name === "*" && names.length > index)
  );
}

function resolve(from: string, specifier: string): string {
  const names = from.split("/").slice(0, -1);
  for (const name of specifier.split("/")) {
    if (name === "..") names.pop();
    else if (name !== ".") names.push(name);
  }
  return names.join("/");
}

async function sourceFiles(root: string): Promise<string[]> {
  const found: string[] = [];
  const visit = async (path: string): Promise<void> => {
    for await (const entry of Deno.readDir(`${root}/${path}`)) {
      const child = `${path}/${entry.name}`;
      if (entry.isDirectory) await visit(child);
      else if (entry.isFile && /\.tsx?$/.test(entry.name)) found.push(child);
    }
  };
  for (const path of ROOTS) {
    const info = await Deno.stat(`${root}/${path}`).catch(() => undefined);
    if (info?.isFile === true) found.push(path);
    else if (info?.isDirectory === true) await visit(path);
  }
  return found.sort();
}

if (import.meta.main) {
  const { files, problems } = await checkLayers(Deno.args[0] ?? ".");
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) Deno.exit(1);
  console.log(`Layers hold (${files} files)`);
}
