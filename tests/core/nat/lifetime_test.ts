import { assert, assertEquals } from "../../assert.ts";
import {
  KEEPALIVE_DEFAULT_MS,
  KEEPALIVE_MAX_MS,
  KEEPALIVE_MIN_MS,
  keepAliveMs,
  type LifetimeBounds,
  nextSilence,
} from "../../../lib/core/nat/lifetime_bounds.ts";

/** Searches for a lifetime; the bounds at the end, and the silences that it took. */
function search(lifetime: number): { bounds: LifetimeBounds; tried: number[] } {
  let bounds: LifetimeBounds = { alive: 0 };
  const tried: number[] = [];
  for (let next = nextSilence(bounds); next !== undefined; next = nextSilence(bounds)) {
    tried.push(next);
    bounds = next < lifetime ? { ...bounds, alive: next } : { ...bounds, dead: next };
    assert(tried.length <= 12, `${lifetime}: ${tried}`);
  }
  return { bounds, tried };
}

Deno.test("lifetime: any lifetime is found closely enough, from below, in a few rounds", () => {
  for (let lifetime = 10_500; lifetime <= 290_000; lifetime += 500) {
    const { bounds, tried } = search(lifetime);
    assert(bounds.alive < lifetime, `${lifetime}`);
    if (lifetime > 13_000) {
      assert(bounds.alive * 1.25 >= lifetime - 1_000, `${lifetime}: ${JSON.stringify(bounds)}`);
    }
    assert(
      tried.length <= 8 && tried.every((silence) => silence >= 10_000 && silence <= 300_000),
      `${tried}`,
    );
  }
  assertEquals(search(1e9), {
    bounds: { alive: 300_000 },
    tried: [32_000, 96_000, 288_000, 300_000],
  });
});

Deno.test("lifetime: keep-alives never come later than four fifths of what a mapping survived", () => {
  assertEquals(keepAliveMs({ alive: 0 }), KEEPALIVE_DEFAULT_MS);
  assertEquals(keepAliveMs({ alive: 32_000 }), KEEPALIVE_MAX_MS);
  assertEquals(keepAliveMs({ alive: 288_000 }), KEEPALIVE_MAX_MS);
  assertEquals(keepAliveMs({ alive: 20_000, dead: 24_000 }), 16_000);
  assertEquals(keepAliveMs({ alive: 0, dead: 32_000 }), 12_800);
  assertEquals(keepAliveMs({ alive: 0, dead: 10_000 }), KEEPALIVE_MIN_MS);
  for (let lifetime = 11_000; lifetime < 40_000; lifetime += 250) {
    const interval = keepAliveMs(search(lifetime).bounds);
    assert(interval <= 0.8 * lifetime && interval >= KEEPALIVE_MIN_MS, `${lifetime}: ${interval}`);
  }
});
