import { assertEquals } from "../../assert.ts";
import { type State, type StateInput, transition } from "../../../lib/core/stream/state.ts";

const STATES: readonly State[] = [
  { name: "SYN_SENT" },
  { name: "SYN_RECV" },
  { name: "ESTABLISHED" },
  { name: "FIN_WAIT", acknowledged: false },
  { name: "FIN_WAIT", acknowledged: true },
  { name: "CLOSE_WAIT" },
  { name: "CLOSING" },
  { name: "TIME_WAIT" },
  { name: "CLOSED", reason: "done" },
];

const INPUTS: readonly StateInput["type"][] = [
  "established",
  "fin_sent",
  "fin_acknowledged",
  "peer_finished",
  "expired",
];

/** All legal moves but the fatal ones. Everything else must lead nowhere. */
const LEGAL: Readonly<Record<string, string>> = {
  "SYN_SENT established": "ESTABLISHED",
  "SYN_RECV established": "ESTABLISHED",
  "ESTABLISHED fin_sent": "FIN_WAIT",
  "ESTABLISHED peer_finished": "CLOSE_WAIT",
  "FIN_WAIT fin_acknowledged": "FIN_WAIT+",
  "FIN_WAIT peer_finished": "CLOSING",
  "FIN_WAIT+ peer_finished": "TIME_WAIT",
  "CLOSE_WAIT fin_sent": "CLOSING",
  "CLOSING fin_acknowledged": "TIME_WAIT",
  "TIME_WAIT expired": "CLOSED",
};

function label(state: State): string {
  return state.name === "FIN_WAIT" && state.acknowledged ? "FIN_WAIT+" : state.name;
}

Deno.test("the transition table has exactly the legal moves", () => {
  for (const state of STATES) {
    for (const type of INPUTS) {
      const next = transition(state, { type } as StateInput);
      const move = `${label(state)} ${type}`;
      assertEquals(next === undefined ? undefined : label(next), LEGAL[move], move);
    }
  }
});

Deno.test("a fatal event closes every state but the closed one", () => {
  for (const state of STATES) {
    const next = transition(state, { type: "fatal", reason: "reset" });
    assertEquals(next, state.name === "CLOSED" ? undefined : { name: "CLOSED", reason: "reset" });
  }
});
