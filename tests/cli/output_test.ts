import { assert, assertEquals, assertStringIncludes } from "../assert.ts";
import { run } from "./fixture.ts";

Deno.test("text goes to the stream it belongs to", async () => {
  assertEquals(await run(["send", "b"]), { status: 0, stdout: "sent to b\n", stderr: "sending\n" });
  assertEquals(await run(["fail"]), {
    status: 1,
    stdout: "",
    stderr: "error: no such thing\nhint:  look elsewhere\ncode:  not_found\n",
  });
});

Deno.test("JSON is one envelope on one line", async () => {
  const sent = await run(["send", "b", "--json", "--message", "<&>\n\u2028é"]);
  assertEquals([sent.status, sent.stderr], [0, ""]);
  assertEquals(sent.stdout.split("\n").length, 2);
  assertEquals(JSON.parse(sent.stdout).status, "ok");
  assertEquals(JSON.parse(sent.stdout).data.message, "<&>\n\u2028é");
  assertEquals(await run(["fail", "--json"]), {
    status: 1,
    stdout: "",
    stderr: '{"code":"not_found","hint":"look elsewhere","message":"no such thing","status":"error"}\n',
  });
});

Deno.test("an error that is none of ours is internal", async () => {
  assertEquals(await run(["crash", "--json"]), {
    status: 1,
    stdout: "",
    stderr: '{"code":"internal","message":"RangeError: broken","status":"error"}\n',
  });
  assertEquals((await run(["crash"])).stderr, "error: RangeError: broken\ncode:  internal\n");
});

Deno.test("exit statuses", async () => {
  const table: [string[], number][] = [
    [["send", "b"], 0],
    [["--version"], 0],
    [["help"], 0],
    [["send", "--help"], 0],
    [["fail"], 1],
    [["fail", "--json"], 1],
    [["probe"], 1],
    [["send"], 1],
    [["agent"], 1],
    [[], 2],
    [["--json"], 2],
    [["nonsense"], 2],
    [["nonsense", "--json"], 1],
    [["help", "nonsense"], 2],
  ];
  for (const [line, status] of table) assertEquals((await run(line)).status, status, line.join(" "));
});

Deno.test("an interrupted command ends with 130 and says nothing", async () => {
  const interrupted = new AbortController();
  interrupted.abort();
  assertEquals(await run(["fail"], interrupted.signal), { status: 130, stdout: "", stderr: "" });
  assertEquals((await run(["send", "b"], interrupted.signal)).status, 0);
});

Deno.test("the version", async () => {
  assertEquals((await run(["--version"])).stdout, "pilot 9.8.7\n");
  assertEquals((await run(["version"])).stdout, "pilot 9.8.7\n");
  assertEquals((await run(["--version", "--json"])).stdout, '{"data":{"version":"9.8.7"},"status":"ok"}\n');
});

Deno.test("no command: the usage, on standard error", async () => {
  const { stdout, stderr } = await run([]);
  assertEquals(stdout, "");
  assertStringIncludes(stderr, "Usage: pilot COMMAND");
  assert(!stderr.includes("\n  secret"));
});
