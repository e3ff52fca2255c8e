import { assertEquals } from "../../assert.ts";
import { ACK, FIN, inState, OWN, PEER, RST } from "./in_state.ts";

Deno.test("CLOSING: the confirmation of our FIN ends the stream", () => {
  const solo = inState.closing();
  solo.hear({ acknowledgement: OWN + 2 });
  assertEquals([solo.state, solo.story], ["TIME_WAIT", ["connected", "finished", "closed done"]]);
});

Deno.test("CLOSING: a FIN+ACK confirms, too; a repeated FIN is confirmed again", () => {
  const solo = inState.closing();
  const again = solo.hear({ flags: FIN, acknowledgement: 0, window: 0 });
  assertEquals(again.map(({ flags, acknowledgement }) => [flags, acknowledgement]), [[ACK, PEER + 2]]);
  solo.hear({ flags: FIN | ACK, acknowledgement: OWN + 2, window: 0 });
  assertEquals(solo.state, "TIME_WAIT");
});

Deno.test("CLOSING: without confirmation, and with a reset, the end is still in order: nothing is missing", () => {
  const silent = inState.closing();
  silent.wait(90_000);
  assertEquals(silent.story.at(-1), "closed done");
  const forgotten = inState.closing();
  forgotten.hear({ flags: RST, sequence: 0, acknowledgement: 0 });
  assertEquals(forgotten.story.at(-1), "closed done");
});
