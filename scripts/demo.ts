/**
 * The whole path on this computer: two agents find each other, trust each other, exchange a message, and part.
 *
 * Prints what a person would type and what really answers. Exits with 0 only if every step did what it says; leaves
 * no process and no file behind, also when it is interrupted.
 */

import type { Finished } from "./demo_process.ts";
import { type AgentName, count, Interrupted, inWorld, type Started, type World } from "./demo_world.ts";

const MESSAGE = '{"task":"analyze"}';

/** Tells the story in `world`. @throws Error when a step does not do what it says */
async function tell(world: World): Promise<void> {
  say("\n# A registry (who is who) and a beacon (how to reach them), each its own process.");
  for (const started of await world.startInfrastructure()) showStarted("", started);

  say("\n# Two agents, as on two computers: own home, own key, own socket.");
  const [a, b] = await Promise.all([world.startAgent("agent-a"), world.startAgent("agent-b")]);
  showStarted("[agent-a] ", a);
  expect(a.printed, /Registered as agent-a/);
  showStarted("[agent-b] ", b);
  expect(b.printed, /Registered as agent-b/);

  say("\n# Nobody reaches an agent that has not agreed. So a asks b, and b agrees by asking back.");
  expect(
    await type(world, "agent-a", ["trust", "add", "agent-b", "shall we work together?"]),
    /request sent/,
  );
  await world.until("agent-b", { args: ["trust", "pending"], test: (data) => count(data, "pending") === 1 });
  expect(await type(world, "agent-b", ["trust", "pending"]), /shall we work together\?/);
  expect(await type(world, "agent-b", ["trust", "add", "agent-a"]), /Mutual trust established/);

  say("\n# A message, encrypted from agent to agent.");
  expect(await type(world, "agent-a", ["connect", "agent-b", "--message", MESSAGE]), /ACK/);
  expect(await type(world, "agent-b", ["inbox"]), /analyze/);
  await expectMessages(world, [MESSAGE]);

  say("\n# Trust can be taken back at any time. Then nothing gets through any more.");
  expect(await type(world, "agent-a", ["trust", "remove", "agent-b"]), /revoked/);
  const again = ["connect", "agent-b", "--message", MESSAGE];
  expect(await type(world, "agent-a", again, { fails: true }), /^error: /);
  await expectNotTrusted(world, { from: "agent-a", to: "agent-b" });
  await expectNotTrusted(world, { from: "agent-b", to: "agent-a" });
  await expectMessages(world, [MESSAGE]);
  say("\n# b still has one message: the second one was refused, and so is any from b to a.");
}

/** Types a command at an agent's computer and returns what it printed. */
async function type(
  world: World,
  agent: AgentName,
  args: readonly string[],
  options: { fails?: boolean } = {},
): Promise<string> {
  const finished = await world.pilot(agent, args);
  const answer = printed(finished);
  showAnswer(`[${agent}] `, { args, answer });
  const failed = finished.code !== 0;
  if (failed !== (options.fails ?? false)) throw new Error(`the command above ended with ${finished.code}`);
  return answer;
}

/** What appears on a terminal: these commands write their progress before their result. */
function printed(finished: Finished): string {
  return `${finished.stderr}${finished.stdout}`.trimEnd();
}

function expect(text: string, pattern: RegExp): void {
  if (!pattern.test(text)) throw new Error(`the answer above lacks ${pattern}`);
}

async function expectMessages(world: World, sent: readonly string[]): Promise<void> {
  const messages = (await world.query("agent-b", ["inbox"])).get("messages");
  const received = Array.isArray(messages) ? messages.map((message: { data?: unknown }) => message.data) : [];
  if (JSON.stringify(received) !== JSON.stringify(sent)) {
    throw new Error(`agent-b should have ${JSON.stringify(sent)}, but has ${JSON.stringify(received)}`);
  }
}

async function expectNotTrusted(world: World, ends: { from: AgentName; to: AgentName }): Promise<void> {
  const { code, stderr } = await world.pilot(ends.from, ["connect", ends.to, "--message", "hello", "--json"]);
  if (code === 0 || !stderr.includes('"code":"not_trusted"')) {
    throw new Error(`${ends.from} should not be trusted by ${ends.to}: ${stderr}`);
  }
}

function showStarted(where: string, started: Started): void {
  showAnswer(where, { args: [...started.args, "&"], answer: started.printed });
}

function showAnswer(where: string, entry: { args: readonly string[]; answer: string }): void {
  say(`\n${where}$ pilot ${entry.args.map(quoted).join(" ")}`);
  if (entry.answer !== "") say(entry.answer.trimEnd());
}

/** An argument as a shell needs it. */
function quoted(argument: string): string {
  if (/^[\w@%+=:,./&-]+$/.test(argument)) return argument;
  return argument.includes("'") ? JSON.stringify(argument) : `'${argument}'`;
}

function say(line: string): void {
  console.log(line);
}

if (import.meta.main) {
  const start = performance.now();
  try {
    await inWorld(tell);
    say(`\nEverything above really happened, in ${((performance.now() - start) / 1000).toFixed(1)} s.`);
  } catch (error) {
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}`);
    Deno.exitCode = error instanceof Interrupted ? 130 : 1;
  }
}
