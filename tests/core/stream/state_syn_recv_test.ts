import { assertEquals } from "../../assert.ts";
import { ACK, FIN, inState, OWN, PEER, RST, Solo, SYN, text } from "./in_state.ts";

Deno.test("SYN_RECV: a repeated SYN is answered with the same SYN+ACK", () => {
  const solo = new Solo({});
  const [first] = solo.drain();
  assertEquals([first?.flags, first?.sequence, first?.acknowledgement], [SYN | ACK, OWN, PEER + 1]);
  assertEquals(
    solo.hear({ flags: SYN, sequence: PEER, acknowledgement: 0 }),
    first === undefined ? [] : [first],
  );
  assertEquals(solo.hear({ flags: SYN, sequence: PEER + 9, acknowledgement: 0 }), []);
});

Deno.test("SYN_RECV: only the third packet opens the stream", () => {
  const solo = inState.synRecv();
  solo.hear({ acknowledgement: OWN });
  assertEquals([solo.state, solo.story], ["SYN_RECV", []]);
  solo.hear({});
  assertEquals([solo.state, solo.story], ["ESTABLISHED", ["connected"]]);
});

Deno.test("SYN_RECV: data serves as the third packet", () => {
  const solo = inState.synRecv();
  solo.hear({ payload: text("hello") });
  assertEquals(solo.story, ["connected", "readable"]);
  assertEquals(solo.read(), text("hello"));
});

Deno.test("SYN_RECV: an early FIN waits for the data before it", () => {
  const solo = inState.synRecv();
  solo.hear({ flags: FIN, sequence: PEER + 6, acknowledgement: 0, window: 0 });
  solo.hear({ payload: text("hello") });
  assertEquals(solo.read(), text("hello"));
  assertEquals(solo.story, ["connected", "readable", "finished"]);
});

Deno.test("SYN_RECV: repeats the SYN+ACK and is dropped with a reset after 10 s", () => {
  const solo = inState.synRecv();
  const sent = solo.wait(10_000);
  assertEquals(sent.map(({ flags }) => flags), [SYN | ACK, SYN | ACK, SYN | ACK, RST]);
  assertEquals([solo.state, solo.stream.isOver], ["CLOSED", true]);
});

Deno.test("SYN_RECV: an old node that waits for our data is made to repeat its third packet", () => {
  const solo = inState.synRecv({ sequence: 0 });
  const [probe, synAck] = solo.wait(1_000);
  assertEquals([probe?.flags, probe?.sequence, probe?.payload.length], [ACK, OWN, 1]);
  assertEquals(synAck?.flags, SYN | ACK);
  solo.hear({ sequence: 1 });
  assertEquals(solo.state, "ESTABLISHED");
});

Deno.test("SYN_RECV: a reset ends it without a word to the peer", () => {
  const solo = inState.synRecv();
  assertEquals(solo.hear({ flags: RST, sequence: 0, acknowledgement: 0 }), []);
  assertEquals(solo.state, "CLOSED");
});

Deno.test("SYN_RECV with a node like ours: open at once, and data follows the SYN+ACK", () => {
  const solo = inState.synRecvEarly();
  assertEquals([solo.state, solo.story], ["SYN_RECV", ["connected"]]);
  const [data, ...others] = solo.write(text("welcome"));
  assertEquals([data?.flags, data?.sequence, data?.acknowledgement], [ACK, OWN + 1, PEER + 1]);
  assertEquals([data?.payload, others], [text("welcome"), []]);
  assertEquals(solo.state, "SYN_RECV");
});

Deno.test("SYN_RECV with a node like ours: the third packet may confirm all of the data, or none", () => {
  for (const confirmed of [0, 3, 7]) {
    const solo = inState.synRecvEarly();
    solo.write(text("welcome"));
    solo.hear({ acknowledgement: OWN + 1 + confirmed });
    assertEquals([solo.state, solo.story], ["ESTABLISHED", ["connected"]], `${confirmed}`);
    assertEquals(solo.stream.stats.unacked, confirmed === 7 ? 0 : 1);
  }
  for (const never of [OWN, OWN + 9]) {
    const solo = inState.synRecvEarly();
    solo.write(text("welcome"));
    solo.hear({ acknowledgement: never });
    assertEquals(solo.state, "SYN_RECV", `${never}`);
  }
});

Deno.test("SYN_RECV with a node like ours: data is repeated, and so is the SYN+ACK", () => {
  const solo = inState.synRecvEarly();
  solo.write(text("welcome"));
  const kinds = new Set(solo.wait(4_000).map(({ flags, payload }) => `${flags} ${payload.length}`));
  assertEquals([...kinds].sort(), [`${ACK} 7`, `${SYN | ACK} 0`].sort());
});

Deno.test("SYN_RECV with a node like ours: an end before the third packet comes after all data", () => {
  for (const close of [false, true]) {
    const solo = inState.synRecvEarly();
    solo.write(text("welcome"));
    if (close) solo.stream.close(solo.now);
    else solo.shutdown();
    assertEquals([solo.drain(), solo.state], [[], "SYN_RECV"]);
    const [fin] = solo.hear({ acknowledgement: OWN + 8 });
    assertEquals([fin?.flags, fin?.sequence, solo.state], [FIN, OWN + 8, "FIN_WAIT"]);
  }
});

Deno.test("SYN_RECV with a node like ours: without a third packet it ends after 10 s, and the application hears of it", () => {
  const solo = inState.synRecvEarly();
  assertEquals(solo.wait(10_000).at(-1)?.flags, RST);
  assertEquals([solo.state, solo.story], ["CLOSED", ["connected", "closed timeout"]]);
});

Deno.test("SYN_RECV with a node like ours: a peer that knows nothing of the SYN ends it", () => {
  const solo = inState.synRecvEarly();
  assertEquals(solo.hear({ flags: RST, sequence: PEER + 1, acknowledgement: 0 }), []);
  assertEquals(solo.story, ["connected", "closed reset"]);
});
