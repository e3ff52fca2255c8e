import {
  agentProcess,
  isAlive,
  probeSocket,
  readPid,
  removePid,
  waitForExit,
  writePid,
} from "../../services/agent/process.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { assertEquals, assertRejects } from "../assert.ts";

Deno.test("only a socket counts as a socket, and nothing else is touched", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/s`;
    assertEquals(await probeSocket(path), "absent");
    const listener = Deno.listen({ transport: "unix", path });
    const accepting = listener.accept();
    assertEquals(await probeSocket(path), "answers");
    (await accepting).close();
    listener.close();
    // Closing may remove the path; a process that was killed leaves it.
    await leaveStaleSocket(`${folder}/stale`);
    assertEquals(await probeSocket(`${folder}/stale`), "stale");

    await Deno.writeTextFile(`${folder}/file`, "precious");
    await Deno.symlink(`${folder}/file`, `${folder}/link`);
    for (const name of ["file", "link", ""]) {
      const error = await assertRejects(
        () => probeSocket(`${folder}/${name}`),
        PilotError,
        "is not a socket",
      );
      assertEquals(error.code, "invalid_argument");
    }
    assertEquals(await Deno.readTextFile(`${folder}/file`), "precious");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("pid files", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/pilot.pid`;
    assertEquals(readPid(path), undefined);
    await writePid(path);
    assertEquals(await Deno.readTextFile(path), String(Deno.pid));
    assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    assertEquals(readPid(path), Deno.pid);
    removePid(path, Deno.pid + 1);
    assertEquals(readPid(path), Deno.pid);
    removePid(path, Deno.pid);
    assertEquals(readPid(path), undefined);
    for (const text of ["", "x", "-5", "0", "1.5", "12 13", "99999999999"]) {
      await Deno.writeTextFile(path, text);
      assertEquals(readPid(path), undefined, text);
    }
    await Deno.writeTextFile(path, "42\n");
    assertEquals(readPid(path), 42);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a living process is told from a dead one, and an agent from a stranger", async () => {
  const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
  try {
    assertEquals(isAlive(child.pid), true);
    assertEquals(await agentProcess(child.pid), false);
    assertEquals(await waitForExit(child.pid, 30), false);
  } finally {
    child.kill("SIGKILL");
  }
  assertEquals(await waitForExit(child.pid, 5_000), true);
  await child.status;
  assertEquals(isAlive(child.pid), false);
  assertEquals(await agentProcess(child.pid), false);
});

Deno.test("a process that nobody collected is dead", { ignore: Deno.build.os !== "linux" }, async () => {
  // The shell starts a child that ends, and then becomes a program that never collects it.
  const shell = new Deno.Command("sh", { args: ["-c", "sleep 0 & echo $!; exec sleep 60"], stdout: "piped" })
    .spawn();
  const reader = shell.stdout.getReader();
  try {
    const { value } = await reader.read();
    const pid = Number(new TextDecoder().decode(value));
    assertEquals(await waitForExit(pid, 5_000), true);
  } finally {
    shell.kill("SIGKILL");
    await reader.cancel();
    await shell.status;
  }
});

async function leaveStaleSocket(path: string): Promise<void> {
  const script = `Deno.listen({ transport: "unix", path: ${
    JSON.stringify(path)
  } }); Deno.kill(Deno.pid, "SIGKILL");`;
  await new Deno.Command(Deno.execPath(), { args: ["eval", script] }).output();
}
