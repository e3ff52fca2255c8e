import { assertEquals } from "../../assert.ts";
import { ACK, FIN, inState, OWN, PEER, text } from "./in_state.ts";

Deno.test("CLOSE_WAIT: we may go on sending, and confirm the FIN with every segment", () => {
  const solo = inState.closeWait();
  assertEquals(solo.story, ["connected", "finished"]);
  const sent = solo.write(text("more"));
  assertEquals(sent.map(({ flags, acknowledgement }) => [flags, acknowledgement]), [[ACK, PEER + 2]]);
  assertEquals(solo.hear({ sequence: PEER + 1, acknowledgement: OWN + 5 }), []);
  assertEquals(solo.stream.stats.unacked, 0);
});

Deno.test("CLOSE_WAIT: a repeated FIN is confirmed again, a FIN+ACK is not", () => {
  const solo = inState.closeWait();
  const again = solo.hear({ flags: FIN, acknowledgement: 0, window: 0 });
  assertEquals(again.map(({ flags, acknowledgement }) => [flags, acknowledgement]), [[ACK, PEER + 2]]);
  assertEquals(solo.hear({ flags: FIN | ACK, window: 0 }), []);
});

Deno.test("CLOSE_WAIT: data that the reader has not fetched outlives the peer", () => {
  const solo = inState.established();
  solo.hear({ payload: text("hello") });
  solo.hear({ flags: FIN, sequence: PEER + 6, acknowledgement: 0, window: 0 });
  solo.wait(600_000);
  assertEquals(solo.state, "CLOSE_WAIT");
  assertEquals(solo.read(), text("hello"));
  assertEquals(solo.story, ["connected", "readable", "finished"]);
});

Deno.test("CLOSE_WAIT: once all is read, a silent peer is given up", () => {
  const solo = inState.closeWait();
  solo.wait(200_000);
  assertEquals(solo.story.at(-1), "closed idle");
});

Deno.test("CLOSE_WAIT: our end leads to CLOSING", () => {
  const solo = inState.closeWait();
  assertEquals(solo.shutdown().map(({ flags, sequence }) => [flags, sequence]), [[FIN, OWN + 1]]);
  assertEquals(solo.state, "CLOSING");
});
