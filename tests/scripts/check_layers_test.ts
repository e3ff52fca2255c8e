import { checkFile, checkLayers } from "../../scripts/check_layers.ts";
import { importsOf, scanSource, usesOf } from "../../scripts/scan_source.ts";
import { assertEquals } from "../assert.ts";

Deno.test("imports are held against the table", () => {
  const table: [string, string, boolean][] = [
    ["lib/wire/packet.ts", `import { x } from "./bytes.ts";`, true],
    ["lib/wire/packet.ts", `import { x } from "../crypto/aead.ts";`, false],
    ["lib/wire/packet.ts", `import type { X } from "../core/machine.ts";`, false],
    ["lib/wire/packet.ts", `export * from "../io/log.ts";`, false],
    ["lib/wire/packet.ts", `import "../io/log.ts";`, false],
    ["lib/wire/packet.ts", `import x from "node:fs";`, false],
    ["lib/wire/packet.ts", `import x from "@noble/hashes/sha2.js";`, false],
    ["lib/crypto/aead.ts", `import x from "@noble/hashes/sha2.js";`, true],
    ["lib/crypto/aead.ts", `import x from "@std/crypto/timing-safe-equal";`, true],
    ["lib/crypto/aead.ts", `import x from "@std/cli/parse-args";`, false],
    ["lib/crypto/aead.ts", `import x from "npm:left-pad";`, false],
    ["lib/crypto/aead.ts", `import x from "../core/machine.ts";`, false],
    ["lib/core/stream/send.ts", `import x from "../../wire/packet.ts";`, true],
    ["lib/core/stream/send.ts", `import x from "../tunnel/path.ts";`, true],
    ["lib/core/stream/send.ts", `import x from "../../io/clock.ts";`, false],
    ["lib/registry/directory.ts", `import x from "../core/machine.ts";`, true],
    ["lib/registry/directory.ts", `import x from "../beacon/beacon.ts";`, false],
    ["lib/io/driver.ts", `import type { X } from "../core/machine.ts";`, true],
    ["lib/io/driver.ts", `import { X } from "../core/node.ts";`, false],
    ["lib/io/driver.ts", `import x from "node:path";`, true],
    ["lib/client/agent.ts", `import x from "../io/log.ts";`, true],
    ["lib/client/agent.ts", `import x from "../crypto/identity.ts";`, false],
    ["lib/client/agent.ts", `import x from "node:net";`, false],
    ["lib/cli/parse.ts", `import x from "@std/cli/parse-args";`, true],
    ["lib/cli/parse.ts", `import { PilotError } from "../wire/error.ts";`, true],
    ["lib/cli/parse.ts", `import x from "../wire/packet.ts";`, false],
    ["lib/cli/parse.ts", `import x from "../client/agent.ts";`, false],
    ["services/agent/serve.ts", `import x from "../../lib/core/node.ts";`, true],
    ["services/agent/serve.ts", `import x from "./apps/echo.ts";`, true],
    ["services/agent/serve.ts", `import x from "node:process";`, true],
    ["services/agent/serve.ts", `import x from "../registry/serve.ts";`, false],
    ["services/agent/commands/start.ts", `await import("../../beacon/serve.ts");`, false],
    ["services/agent/serve.ts", `import x from "../../cli.ts";`, false],
    ["services/agent/serve.ts", `import x from "../../tests/assert.ts";`, false],
    ["cli.ts", `import x from "./services/agent/commands/mod.ts";`, true],
    ["cli.ts", `import x from "./lib/cli/run.ts";`, true],
    ["cli.ts", `import x from "./services/agent/serve.ts";`, false],
    ["cli.ts", `import x from "./lib/client/agent.ts";`, false],
    ["mod.ts", `export { X } from "./lib/client/agent.ts";`, true],
    ["mod.ts", `export type { X } from "./lib/wire/address.ts";`, true],
    ["mod.ts", `export { X } from "./lib/io/log.ts";`, false],
    ["mod.ts", `export { X } from "./services/agent/serve.ts";`, false],
    ["tests/wire/x_test.ts", `import { x } from "../../lib/wire/x.ts"; import y from "../assert.ts";`, true],
    ["tests/wire/x_test.ts", `import { assert } from "@std/assert";`, false],
    ["tests/assert.ts", `export * from "@std/assert";`, true],
    ["lib/wire/x.ts", `import { assert } from "@std/assert";`, false],
    ["scripts/bench.ts", `import x from "../lib/core/node.ts";`, true],
    ["lib/other/x.ts", `export const x = 1;`, false],
  ];
  for (const [path, source, allowed] of table) {
    assertEquals(checkFile(path, source).length === 0, allowed, `${path}: ${source}`);
  }
});

Deno.test("impure words are found in pure layers, and only there", () => {
  const words = [
    "Deno.readTextFile('x')",
    "new Date()",
    "Date.now()",
    "performance.now()",
    "setTimeout(f, 1)",
    "Math.random()",
    "crypto.getRandomValues(x)",
    "console.log(1)",
    "async () => 1",
    "await x",
    "[...await x]",
    "globalThis.Deno",
    "`${Date.now()}`",
  ];
  for (const layer of ["wire", "crypto", "core", "core/stream", "registry", "beacon"]) {
    for (const word of words) {
      assertEquals(checkFile(`lib/${layer}/x.ts`, `f(${word});`).length > 0, true, `${layer} ${word}`);
    }
  }
  for (const word of words) {
    assertEquals(checkFile("lib/io/x.ts", `f(${word});`), []);
    assertEquals(checkFile("services/agent/x.ts", `f(${word});`), []);
  }
  assertEquals(checkFile("lib/client/x.ts", "await x; f(Date.now());"), []);
  assertEquals(checkFile("lib/client/x.ts", "setTimeout(f, 1);"), [
    "lib/client/x.ts:1: must not use setTimeout",
  ]);
  assertEquals(checkFile("lib/cli/x.ts", "await x;"), []);
  assertEquals(checkFile("lib/cli/x.ts", "\nDeno.exit(1);"), ["lib/cli/x.ts:2: must not use Deno"]);
});

Deno.test("comments, strings, members and longer words are no uses", () => {
  const harmless = [
    "// await Date",
    "/* Deno\n * console */",
    "/** `await x` {@link Deno} */",
    "'await the Deno Date'",
    '"it\'s async: \\" console"',
    "`await ${x} console ${`Date ${y}`} Deno`",
    "x.Date",
    "x?.performance",
    "({ async: 1, console: 2 })",
    "awaits(x) + Dates + asynchronous + consoleLike + $Date",
    "/await Deno/.test(x)",
    "/[/'\"`]Date/g.exec(x)",
    "a / b / c; 'Date'",
    `import type { X } from "./console.ts";`,
  ];
  for (const source of harmless) assertEquals(checkFile("lib/wire/x.ts", source), [], source);
});

Deno.test("the scanner keeps line numbers through every kind of text", () => {
  const scanned = scanSource("/* 1\n2 */\n`3\n4 ${`5\n${'x'}\n`}\n`\n/[/]\\//;\n'\\'';\nDate\n");
  assertEquals(usesOf(scanned, ["Date"]), [{ word: "Date", line: 10 }]);
  assertEquals(
    importsOf(scanSource(`
import {
  a,
} from "./a.ts";
import type { B } from './b.ts';
export * from "./c.ts";
const d = await import("./d.ts");
const text = "import x from './no.ts'";
// import x from "./no.ts";
type E = typeof import("./e.ts");
`)),
    [
      { specifier: "./a.ts", line: 4, typeOnly: false },
      { specifier: "./b.ts", line: 5, typeOnly: true },
      { specifier: "./c.ts", line: 6, typeOnly: false },
      { specifier: "./d.ts", line: 7, typeOnly: false },
      { specifier: "./e.ts", line: 10, typeOnly: false },
    ],
  );
});

Deno.test("a planted fault fails the script", async () => {
  const root = await Deno.makeTempDir();
  try {
    await plant(root, "lib/wire/good.ts", "export const x = 1;\n");
    await plant(root, "cli.ts", "export {};\n");
    assertEquals(await runScript(root), { success: true, stderr: "" });
    await plant(
      root,
      "lib/wire/bad.ts",
      `// a\nimport { y } from "../io/log.ts";\nexport const z = Date.now() + y;\n`,
    );
    await plant(root, "services/agent/bad.ts", `export * from "../registry/serve.ts";\n`);
    await plant(root, "tests/bad_test.ts", `import { assert } from "@std/assert";\nassert(true);\n`);
    assertEquals(await runScript(root), {
      success: false,
      stderr: "lib/wire/bad.ts:2: must not import lib/io/log.ts\n" +
        "lib/wire/bad.ts:3: must not use Date\n" +
        "services/agent/bad.ts:1: must not import services/registry/serve.ts\n" +
        "tests/bad_test.ts:1: must not import the package @std/assert\n",
    });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("this repository keeps its own rules", async () => {
  const { files, problems } = await checkLayers(new URL("../..", import.meta.url).pathname);
  assertEquals(problems, []);
  assertEquals(files > 10, true);
});

async function plant(root: string, path: string, source: string): Promise<void> {
  await Deno.mkdir(`${root}/${path.split("/").slice(0, -1).join("/")}`, { recursive: true });
  await Deno.writeTextFile(`${root}/${path}`, source);
}

async function runScript(root: string): Promise<{ success: boolean; stderr: string }> {
  const script = new URL("../../scripts/check_layers.ts", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", script, root],
    env: { NO_COLOR: "1" },
  }).output();
  return { success, stderr: new TextDecoder().decode(stderr) };
}
