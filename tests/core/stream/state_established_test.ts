import { assertEquals } from "../../assert.ts";
import { ACK, FIN, inState, OWN, PEER, RST, SYN, text } from "./in_state.ts";
import { encodeSack } from "../../../lib/wire/sack.ts";

Deno.test("ESTABLISHED: lone segments are acknowledged at once 32 times, then after 5 ms or the second", () => {
  const solo = inState.established();
  let sequence = PEER + 1;
  for (let i = 0; i < 32; i++) {
    assertEquals(solo.hear({ sequence: sequence++, payload: text("x") }).length, 1, `segment ${i}`);
    solo.read();
  }
  assertEquals(solo.hear({ sequence: sequence++, payload: text("x") }), []);
  assertEquals(solo.wait(4), []);
  assertEquals(solo.wait(1).map(({ acknowledgement }) => acknowledgement), [sequence]);
  assertEquals(solo.hear({ sequence: sequence++, payload: text("x") }), []);
  assertEquals(solo.hear({ sequence: sequence++, payload: text("x") }).length, 1);
});

Deno.test("ESTABLISHED: out of order data is reported at once, to old nodes also without SACK", () => {
  const report = encodeSack([{ left: PEER + 11, right: PEER + 13 }]);
  const own = inState.established();
  const sent = own.hear({ sequence: PEER + 11, payload: text("xx") });
  assertEquals(sent.map(({ acknowledgement, payload }) => [acknowledgement, payload]), [[PEER + 1, report]]);

  const foreign = inState.establishedWithForeign();
  const answers = foreign.hear({ sequence: 11, payload: text("xx") });
  assertEquals(answers.map(({ acknowledgement, payload }) => [acknowledgement, payload.length]), [[1, 13], [
    1,
    0,
  ]]);
});

Deno.test("ESTABLISHED: what only looks like SACK is data; a report that was overtaken is not", () => {
  const sack = (...edges: [number, number][]) => encodeSack(edges.map(([left, right]) => ({ left, right })));
  const sent = (payload: Uint8Array, acknowledgement = OWN + 1) => {
    const solo = inState.established();
    for (let i = 0; i < 3; i++) solo.write(new Uint8Array(1_152));
    if (acknowledgement === OWN + 1) solo.hear({ acknowledgement: OWN + 1 + 1_152 });
    solo.hear({ payload, acknowledgement });
    return solo.read();
  };
  const end = OWN + 1 + 3 * 1_152;
  for (const payload of [sack([OWN + 2, end]), sack([OWN + 2, OWN + 3], [end - 1, end])]) {
    assertEquals(sent(payload), undefined);
  }
  const data = [
    sack([OWN + 2, end + 1]),
    sack([OWN + 1, end]),
    sack([end, OWN + 2]),
    sack([end - 5, end], [OWN + 2, OWN + 9]),
    new Uint8Array([...sack([OWN + 2, end]), 0]),
  ];
  for (const payload of data) assertEquals(sent(payload), payload);
});

Deno.test("ESTABLISHED: a duplicate is acknowledged again, an empty ACK never", () => {
  const solo = inState.established();
  solo.hear({ payload: text("abc") });
  assertEquals(solo.hear({ payload: text("abc") }).length, 1);
  assertEquals(solo.hear({ sequence: PEER + 4 }), []);
});

Deno.test("ESTABLISHED: an overlapping segment is trimmed", () => {
  const solo = inState.established();
  solo.hear({ payload: text("abc") });
  solo.hear({ sequence: PEER + 2, payload: text("bcde") });
  assertEquals([solo.read(), solo.read()], [text("abc"), text("de")]);
});

Deno.test("ESTABLISHED: an acknowledgement of what was never sent is ignored", () => {
  const solo = inState.established();
  solo.write(text("abc"));
  solo.hear({ acknowledgement: OWN + 5 });
  assertEquals(solo.stream.stats.unacked, 1);
  solo.hear({ acknowledgement: OWN + 4 });
  assertEquals(solo.stream.stats.unacked, 0);
});

Deno.test("ESTABLISHED: a keep-alive is answered once in 5 s, an ACK with a window never", () => {
  const solo = inState.established();
  const answer = solo.hear({ window: 0 });
  assertEquals(answer.map(({ flags, window, payload }) => [flags, window, payload.length]), [[ACK, 512, 0]]);
  assertEquals(solo.hear({ window: 0 }), []);
  solo.wait(5_000);
  assertEquals(solo.hear({ window: 0 }).length, 1);
  assertEquals(solo.hear({ window: 7 }), []);
});

Deno.test("ESTABLISHED: silence draws a keep-alive at 50 s, then probes, then the end at 120 s", () => {
  const solo = inState.established();
  assertEquals(solo.wait(49_999), []);
  const [keepAlive, ...none] = solo.wait(1);
  assertEquals([keepAlive?.flags, keepAlive?.window, keepAlive?.payload.length, none.length], [ACK, 0, 0, 0]);
  const probes = solo.wait(69_999);
  assertEquals(probes.map(({ sequence, payload }) => [sequence, payload.length]), [[OWN, 1], [OWN, 1], [
    OWN,
    1,
  ]]);
  assertEquals(solo.wait(1).map(({ flags }) => flags), [RST]);
  assertEquals(solo.story.at(-1), "closed idle");
});

Deno.test("ESTABLISHED: a computer that slept asks before it gives up", () => {
  const solo = inState.established();
  solo.now += 3_600_000;
  solo.stream.handleTimeout(solo.now);
  assertEquals(solo.drain().length, 1);
  assertEquals(solo.state, "ESTABLISHED");
  solo.hear({});
  assertEquals(solo.wait(49_000), []);
});

Deno.test("ESTABLISHED: the end waits until all data is acknowledged, then a bare FIN leaves", () => {
  const solo = inState.established();
  solo.write(text("abc"));
  assertEquals(solo.shutdown(), []);
  const [fin] = solo.hear({ acknowledgement: OWN + 4 });
  assertEquals([fin?.flags, fin?.sequence, fin?.acknowledgement, fin?.window], [FIN, OWN + 4, 0, 0]);
  assertEquals(solo.state, "FIN_WAIT");
});

Deno.test("ESTABLISHED: a FIN is confirmed by a plain ACK, one that runs ahead waits for the data", () => {
  const solo = inState.established();
  const early = solo.hear({ flags: FIN, sequence: PEER + 4, acknowledgement: 0, window: 0 });
  assertEquals([solo.state, early.at(-1)?.acknowledgement], ["ESTABLISHED", PEER + 1]);
  const sent = solo.hear({ payload: text("abc") });
  assertEquals(sent.map(({ flags, acknowledgement }) => [flags, acknowledgement]), [[ACK, PEER + 5]]);
  assertEquals(solo.state, "CLOSE_WAIT");
});

Deno.test("ESTABLISHED: data that never arrives before the FIN is a broken stream, not an end", () => {
  const solo = inState.established();
  solo.hear({ flags: FIN, sequence: PEER + 4, acknowledgement: 0, window: 0 });
  solo.wait(5_000);
  assertEquals(solo.story, ["connected", "closed reset"]);
});

Deno.test("ESTABLISHED: a repeated SYN+ACK is acknowledged by the side that connected", () => {
  const solo = inState.synSent();
  solo.hear({ flags: SYN | ACK, sequence: PEER });
  assertEquals(solo.hear({ flags: SYN | ACK, sequence: PEER }).length, 1);
  assertEquals(solo.hear({ flags: SYN | ACK, sequence: PEER, acknowledgement: 3 }), []);
});

Deno.test("ESTABLISHED: a reset with zeros or a plausible number ends it, another does not", () => {
  const far = inState.established();
  far.hear({ flags: RST, sequence: PEER - 50, acknowledgement: 0 });
  assertEquals(far.state, "ESTABLISHED");
  for (const sequence of [0, PEER + 1]) {
    const solo = inState.established();
    solo.hear({ flags: RST, sequence, acknowledgement: 0 });
    assertEquals(solo.story.at(-1), "closed reset");
  }
});

Deno.test("ESTABLISHED: data that nobody acknowledges ends the stream after a minute, not earlier", () => {
  const solo = inState.established();
  solo.write(text("abc"));
  solo.wait(59_000);
  assertEquals(solo.state, "ESTABLISHED");
  solo.wait(6_000);
  assertEquals(solo.story.at(-1), "closed unreachable");
});
