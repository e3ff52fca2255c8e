import { assertEquals } from "../../assert.ts";
import { ACK, FIN, inState, RST, SYN, text } from "./in_state.ts";

Deno.test("CLOSED: nothing is answered, nothing is timed, nothing is said", () => {
  const solo = inState.established();
  solo.stream.abort(solo.now);
  assertEquals(solo.drain().map(({ flags }) => flags), [RST]);
  const story = solo.story;
  for (const flags of [0, SYN, SYN | ACK, ACK, FIN, FIN | ACK, RST, 15]) {
    assertEquals(solo.hear({ flags, payload: text("x") }), []);
  }
  assertEquals([solo.stream.pollTimeout(), solo.story], [undefined, story]);
  assertEquals(solo.stream.write(text("x"), solo.now), 0);
  assertEquals(solo.read(), undefined);
  solo.stream.shutdown(solo.now);
  solo.stream.close(solo.now);
  solo.stream.abort(solo.now);
  assertEquals([solo.drain(), solo.stream.isOver], [[], true]);
});
