import { assertEquals } from "../../assert.ts";
import { ACK, FIN, inState, OWN, PEER, RST, SYN, text } from "./in_state.ts";

Deno.test("TIME_WAIT: lasts 10 s after the last FIN, which it confirms", () => {
  const solo = inState.timeWait();
  solo.wait(9_000);
  const again = solo.hear({ flags: FIN, acknowledgement: 0, window: 0 });
  assertEquals(again.map(({ flags, acknowledgement }) => [flags, acknowledgement]), [[ACK, PEER + 2]]);
  assertEquals(solo.wait(9_999), []);
  assertEquals(solo.state, "TIME_WAIT");
  assertEquals(solo.wait(1), []);
  assertEquals([solo.state, solo.stream.isOver], ["CLOSED", true]);
});

Deno.test("TIME_WAIT: a FIN+ACK is not answered, so no storm can start", () => {
  assertEquals(inState.timeWait().hear({ flags: FIN | ACK, acknowledgement: OWN + 2, window: 0 }), []);
});

Deno.test("TIME_WAIT: resets do not end it (RFC 1337), late data is confirmed, SYNs are ignored", () => {
  const solo = inState.timeWait();
  solo.hear({ flags: RST, sequence: 0, acknowledgement: 0 });
  assertEquals(solo.state, "TIME_WAIT");
  assertEquals(solo.hear({ payload: text("old"), acknowledgement: OWN + 2 }).length, 1);
  assertEquals(solo.hear({ flags: SYN, sequence: 9, acknowledgement: 0 }), []);
});

Deno.test("TIME_WAIT: unread data stays after it, and the last events follow the reading", () => {
  const solo = inState.finWaitAcknowledged();
  solo.hear({ payload: text("hello"), acknowledgement: OWN + 2 });
  solo.hear({ flags: FIN, sequence: PEER + 6, acknowledgement: 0, window: 0 });
  solo.wait(60_000);
  assertEquals([solo.state, solo.stream.isOver, solo.story], ["CLOSED", false, ["connected", "readable"]]);
  assertEquals(solo.read(), text("hello"));
  assertEquals([solo.stream.isOver, solo.story], [true, [
    "connected",
    "readable",
    "finished",
    "closed done",
  ]]);
});
