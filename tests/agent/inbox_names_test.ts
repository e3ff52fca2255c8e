import {
  compareStampedNames,
  isInboxName,
  isReceivedName,
  isTemporaryName,
  localRfc3339,
  localStamp,
  receivedNameParts,
  stampedName,
  temporaryName,
} from "../../services/agent/inbox_names.ts";
import { assert, assertEquals } from "../assert.ts";

const NOON = new Date(2026, 0, 2, 12, 30, 45, 67).getTime();

Deno.test("received files: the agreed names, nothing leaves the folder", () => {
  const stamp = "20260101-000000.123";
  const table: Record<string, string> = {
    "report.pdf": `report-${stamp}.pdf`,
    "a/b/../report.tar.gz": `report.tar-${stamp}.gz`,
    "notes": `notes-${stamp}`,
    ".bashrc": `-${stamp}.bashrc`,
    "..": `.-${stamp}.`,
    "/": `-${stamp}`,
    "../../etc/passwd": `passwd-${stamp}`,
    "dir/": `dir-${stamp}`,
    "a\\b.txt": `a_b-${stamp}.txt`,
    "a\u0000b\n\u001b[31m.txt": `a_b__[31m-${stamp}.txt`,
    "invoice\u202efdp.exe": `invoice_fdp-${stamp}.exe`,
    "søk.md": `søk-${stamp}.md`,
  };
  for (const [sent, stored] of Object.entries(table)) {
    assertEquals(stampedName(receivedNameParts(sent), stamp), stored, sent);
    assert(isReceivedName(stored), stored);
    assert(isReceivedName(stampedName(receivedNameParts(sent), stamp, 7)), stored);
  }
  for (const long of ["x".repeat(5000), `${"é".repeat(400)}.${"y".repeat(400)}`, `.${"😀".repeat(200)}`]) {
    const name = stampedName(receivedNameParts(long), stamp, 99_999);
    assert(new TextEncoder().encode(name).length <= 255, name);
    assert(!name.includes("\ufffd"), "cut between characters");
  }
});

Deno.test("names and times have the agreed form", () => {
  assertEquals(localStamp(NOON), "20260102-123045.067");
  assertEquals(Date.parse(localRfc3339(NOON)), Math.floor(NOON / 1000) * 1000);
  assert(isInboxName("BINARY-20260102-123045.067.json"));
  assert(isInboxName("JSON-20260102-123045.067-3.json"));
  assert(!isInboxName("FILE-20260102-123045.067.json"));
  assert(!isInboxName("../TEXT-20260102-123045.067.json"));
});

Deno.test("inbox names are ordered by time, then counter, then type", () => {
  const ordered = [
    "TEXT-20260101-235959.999.json",
    "JSON-20260102-000000.000.json",
    "TEXT-20260102-000000.000.json",
    "TEXT-20260102-000000.000-2.json",
    "TEXT-20260102-000000.000-10.json",
    "BINARY-20260102-000000.001.json",
  ];
  assertEquals([...ordered].reverse().sort(compareStampedNames), ordered);
});

Deno.test("a name being written is never the name of something stored", () => {
  const name = temporaryName();
  assert(isTemporaryName(name));
  assert(!isInboxName(name) && !isReceivedName(name));
  assert(!isTemporaryName(stampedName(receivedNameParts(name), localStamp(NOON))));
});
