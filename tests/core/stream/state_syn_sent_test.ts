import { assertEquals } from "../../assert.ts";
import { ACK, FIN, inState, OWN, PEER, RST, Solo, SYN, text } from "./in_state.ts";

Deno.test("SYN_SENT: the SYN has a number, no acknowledgement and the whole window", () => {
  const [syn, ...rest] = new Solo().drain();
  assertEquals([syn?.flags, syn?.sequence, syn?.acknowledgement, syn?.window], [SYN, OWN, 0, 512]);
  assertEquals(rest, []);
});

Deno.test("SYN_SENT: repeats the SYN after 250 ms, doubling up to 8 s, seven times, then gives up", () => {
  const solo = inState.synSent();
  const start = solo.now;
  const times: number[] = [];
  while (solo.state === "SYN_SENT") {
    const at = solo.stream.pollTimeout() ?? 0;
    for (const sent of solo.wait(at - solo.now)) {
      assertEquals([sent.flags, sent.sequence], [SYN, OWN]);
      times.push(solo.now - start);
    }
  }
  assertEquals(times, [250, 750, 1_750, 3_750, 7_750, 15_750, 23_750]);
  assertEquals(solo.now - start, 31_750);
  assertEquals(solo.story, ["closed timeout"]);
  assertEquals(solo.stream.isOver, true);
});

Deno.test("SYN_SENT: a fitting SYN+ACK opens the stream and is acknowledged", () => {
  const solo = inState.synSent();
  const sent = solo.hear({ flags: SYN | ACK, sequence: PEER });
  assertEquals(sent.map(({ flags, sequence, acknowledgement }) => [flags, sequence, acknowledgement]), [
    [ACK, OWN + 1, PEER + 1],
  ]);
  assertEquals([solo.state, solo.story], ["ESTABLISHED", ["connected"]]);
});

Deno.test("SYN_SENT: a SYN+ACK for an old connection is reset, and the attempt goes on", () => {
  const solo = inState.synSent();
  const sent = solo.hear({ flags: SYN | ACK, sequence: PEER, acknowledgement: 77 });
  assertEquals(sent.map(({ flags, sequence }) => [flags, sequence]), [[RST, 77]]);
  assertEquals(solo.state, "SYN_SENT");
  assertEquals(solo.wait(250).map(({ flags }) => flags), [SYN]);
});

Deno.test("SYN_SENT: a reset refuses, one that belongs elsewhere does not", () => {
  const solo = inState.synSent();
  solo.hear({ flags: RST, sequence: 4_711, acknowledgement: 0 });
  assertEquals(solo.state, "SYN_SENT");
  solo.hear({ flags: RST, sequence: 0, acknowledgement: 0 });
  assertEquals(solo.story, ["closed refused"]);
});

Deno.test("SYN_SENT: what is written waits for the handshake", () => {
  const solo = inState.synSent();
  assertEquals(solo.write(text("hello")), []);
  const sent = solo.hear({ flags: SYN | ACK, sequence: PEER });
  assertEquals(sent.map(({ flags, payload }) => [flags, payload]), [[ACK, text("hello")]]);
});

Deno.test("SYN_SENT: data and FIN that overtake the SYN+ACK are kept", () => {
  const solo = inState.synSent();
  solo.hear({ payload: text("early") });
  solo.hear({ flags: FIN, sequence: PEER + 6, acknowledgement: 0, window: 0 });
  solo.hear({ payload: text("other"), acknowledgement: 99 });
  solo.hear({ flags: SYN | ACK, sequence: PEER });
  assertEquals([solo.read(), solo.read()], [text("early"), undefined]);
  assertEquals([solo.state, solo.story], ["CLOSE_WAIT", ["connected", "readable", "finished"]]);
});

Deno.test("SYN_SENT: an old node repeats its SYN+ACK with a number that moved on; nothing is lost", () => {
  const kept = inState.synSent();
  kept.hear({ sequence: 6, payload: text("early") });
  kept.hear({ flags: SYN | ACK, sequence: 10 });
  kept.hear({ sequence: 1, payload: text("first") });
  assertEquals([kept.read(), kept.read()], [text("first"), text("early")]);

  const lost = inState.synSent();
  lost.hear({ flags: SYN | ACK, sequence: 10 });
  lost.hear({ sequence: 1, payload: text("first") });
  lost.hear({ sequence: 6, payload: text("early") });
  assertEquals([lost.read(), lost.read()], [text("first"), text("early")]);
});

Deno.test("SYN_SENT: abort tells a peer that may be half open", () => {
  const solo = inState.synSent();
  solo.stream.abort(solo.now);
  assertEquals(solo.drain().map(({ flags, sequence }) => [flags, sequence]), [[RST, OWN + 1]]);
  assertEquals(solo.story, ["closed aborted"]);
});
