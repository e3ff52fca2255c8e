import { assertEquals } from "../../assert.ts";
import { ACK, FIN, inState, OWN, PEER, RST, text } from "./in_state.ts";

Deno.test("FIN_WAIT: the FIN is repeated with the same number until it is confirmed", () => {
  const solo = inState.finWait();
  const repeated = solo.wait(3_000);
  assertEquals(
    repeated.length > 0 && repeated.every(({ flags, sequence }) => flags === FIN && sequence === OWN + 1),
    true,
  );
  solo.hear({ acknowledgement: OWN + 2 });
  assertEquals(solo.wait(10_000), []);
  assertEquals(solo.stream.state, { name: "FIN_WAIT", acknowledged: true });
});

Deno.test("FIN_WAIT: gives up after about a minute", () => {
  const solo = inState.finWait();
  solo.wait(70_000);
  assertEquals(solo.story, ["connected", "closed unreachable"]);
});

Deno.test("FIN_WAIT: the peer may go on sending (half-close), and its end completes the stream", () => {
  const solo = inState.finWaitAcknowledged();
  solo.hear({ payload: text("answer"), acknowledgement: OWN + 2 });
  assertEquals(solo.read(), text("answer"));
  const sent = solo.hear({ flags: FIN, sequence: PEER + 7, acknowledgement: 0, window: 0 });
  assertEquals(sent.map(({ flags, acknowledgement }) => [flags, acknowledgement]), [[ACK, PEER + 8]]);
  assertEquals([solo.state, solo.story], ["TIME_WAIT", ["connected", "readable", "finished", "closed done"]]);
});

Deno.test("FIN_WAIT: a FIN+ACK of an old node confirms and ends, and is never answered with FIN", () => {
  const solo = inState.finWait();
  assertEquals(
    solo.hear({ flags: FIN | ACK, acknowledgement: OWN + 2, window: 0 }).filter(({ flags }) => flags !== ACK),
    [],
  );
  assertEquals([solo.state, solo.story.at(-1)], ["TIME_WAIT", "closed done"]);
  assertEquals(solo.hear({ flags: FIN | ACK, acknowledgement: OWN + 2, window: 0 }), []);
});

Deno.test("FIN_WAIT: a FIN that crosses ours leads to CLOSING", () => {
  const solo = inState.finWait();
  solo.hear({ flags: FIN, acknowledgement: 0, window: 0 });
  assertEquals([solo.state, solo.stream.stats.state], ["CLOSING", "FIN_WAIT"]);
});

Deno.test("FIN_WAIT: a closed application waits at most a minute for the peer's end, and throws data away", () => {
  const solo = inState.finWaitAcknowledged();
  solo.stream.close(solo.now);
  const sent = solo.hear({ payload: text("nobody reads this"), acknowledgement: OWN + 2 });
  assertEquals([sent.at(-1)?.acknowledgement, solo.read()], [PEER + 18, undefined]);
  assertEquals(solo.wait(60_000).at(-1)?.flags, RST);
  assertEquals(solo.story, ["connected", "closed done"]);
});

Deno.test("FIN_WAIT: writing is over", () => {
  const solo = inState.finWait();
  assertEquals(solo.stream.write(text("late"), solo.now), 0);
});
