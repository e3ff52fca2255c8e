/** Commands of the system, run to their end. */

/** Runs a command that must work: what it printed. @throws Error with what it said otherwise */
export async function run(words: readonly string[], input?: string): Promise<string> {
  const { success, stdout, stderr } = await attempt(words, input);
  if (!success) {
    throw new Error(`${words.join(" ")}: ${stderr || stdout}${input === undefined ? "" : `\n${input}`}`);
  }
  return stdout;
}

/** Runs a command that may fail. One that does not exist fails. */
export async function attempt(
  words: readonly string[],
  input?: string,
): Promise<{ readonly success: boolean; readonly stdout: string; readonly stderr: string }> {
  const [command = "", ...args] = words;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, {
      args,
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    return { success: false, stdout: "", stderr: String(error) };
  }
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input)).catch(() => {});
    await writer.close().catch(() => {});
  }
  const { success, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, stdout: text(stdout), stderr: text(stderr).trim() };
}
