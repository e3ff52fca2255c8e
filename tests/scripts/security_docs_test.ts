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

Deno.test("every weakness of the handshake has its row", async () => {
  const document = await Deno.readTextFile(new URL("docs/security.md", ROOT));
  const rows = [...document.matchAll(/^\| T-(\d+) /gm)].map(([, number]) => Number(number));
  assertEquals(rows, Array.from({ length: 24 }, (_, index) => index + 1));
});
