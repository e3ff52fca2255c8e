/** What docs/security.md claims to be proven must be a test that exists. */

import { assert, assertEquals } from "../assert.ts";

const ROOT = new URL("../../", import.meta.url);

interface Citation {
  readonly file: string;
  readonly name: string;
}

/** `file_test.ts`: "name", "name"; `other_test.ts`: "name" */
function citations(markdown: string): Citation[] {
  return [...markdown.matchAll(/`([\w/]+_test\.ts)`:((?:\s*,?\s*"[^"]+")+)/g)].flatMap((
    [, file = "", names = ""],
  ) => [...names.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => ({ file, name })));
}

async function testFiles(folder: URL): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const url = new URL(isDirectory ? `${name}/` : name, folder);
    if (isDirectory) {
      for (const [path, text] of await testFiles(url)) found.set(path, text);
    } else if (name.endsWith("_test.ts")) found.set(url.pathname, await Deno.readTextFile(url));
  }
  return found;
}

Deno.test("every test that the security document cites exists", async () => {
  const cited = citations(await Deno.readTextFile(new URL("docs/security.md", ROOT)));
  const files = await testFiles(new URL("tests/", ROOT));
  assert(cited.length >= 24, `${cited.length} citations`);
  const missing = cited.filter(({ file, name }) => {
    const texts = [...files].filter(([path]) => path.endsWith(`/${file}`)).map(([, text]) => text);
    return !texts.some((text) => text.includes(name));
  });
  assertEquals(missing, []);
});

/** The numbers from `first` to `last`, both included. */
function span(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Rows of the tables, by the letter of their number: the number and the cells behind it. */
function rows(markdown: string, letter: string): { readonly number: number; readonly cells: string[] }[] {
  return [...markdown.matchAll(/^\| ([A-Z])-(\d+) +\|(.*)\|$/gm)].filter(([, found]) => found === letter)
    .map(([, , number, rest = ""]) => ({
      number: Number(number),
      cells: rest.split("|").map((cell) => cell.trim()),
    }));
}

Deno.test("every weakness and every way to fail has its row, once and in order", async () => {
  const document = await Deno.readTextFile(new URL("docs/security.md", ROOT));
  const numbers = (letter: string) => rows(document, letter).map(({ number }) => number);
  assertEquals(numbers("T"), span(1, 24));
  assertEquals(numbers("W"), [...span(25, 42), ...span(1, 24)]);
  assertEquals(numbers("B"), span(1, 21));
  assertEquals(numbers("F"), span(1, 21));
});

Deno.test("every row says what the weakness is, what is done, and which test proves it", async () => {
  const document = await Deno.readTextFile(new URL("docs/security.md", ROOT));
  for (const letter of ["T", "W", "B", "F"]) {
    for (const { number, cells } of rows(document, letter)) {
      const [weakness = "", remedy = "", proof = ""] = cells;
      assertEquals(cells.length, 3, `${letter}-${number}`);
      assert(weakness !== "" && remedy !== "", `${letter}-${number} is empty`);
      const isOpen = proof === "" && remedy.includes("Not yet");
      assert(isOpen || citations(proof).length > 0, `${letter}-${number} cites no test`);
    }
  }
});
