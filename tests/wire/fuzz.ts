/** One way to maltreat every decoder: cut, random and mutated input must give a value or a reason, never a throw. */

import { assert, assertEquals } from "../assert.ts";
import { equalBytes, toHex } from "../../lib/wire/bytes.ts";
import { SeededRandom } from "../sim/random.ts";

/** What to do to a decoder. */
export interface FuzzOptions {
  /** Frames it accepts. */
  readonly valid: readonly Uint8Array[];
  /** Whether a result is a refusal; by default a text is. */
  readonly refused?: (result: unknown) => boolean;
  /** The shortest prefix of a valid frame that is itself acceptable; by default the whole frame. */
  readonly shortest?: (frame: Uint8Array) => number;
  /** Checks what must hold for every accepted input. */
  readonly check?: (input: Uint8Array, result: unknown) => void;
  readonly seed?: number;
  readonly rounds?: number;
}

const isText = (result: unknown) => typeof result === "string";

/** Random buffers for each decoder, and as many mutated valid frames. */
export const FUZZ_ROUNDS = 100_000;

/** Runs all three treatments. */
export function fuzz(decode: (data: Uint8Array) => unknown, options: FuzzOptions): void {
  cutEverywhere(decode, options);
  const seed = options.seed ?? 1;
  const random = new SeededRandom(seed);
  const rounds = options.rounds ?? FUZZ_ROUNDS;
  for (let round = 0; round < rounds; round++) {
    attempt(decode, randomInput(random, options.valid), {
      ...options,
      label: `seed ${seed} random ${round}`,
    });
    attempt(decode, mutated(random, options.valid), { ...options, label: `seed ${seed} mutated ${round}` });
  }
}

/** Every prefix shorter than the shortest acceptable one is refused, every other is accepted. */
export function cutEverywhere(decode: (data: Uint8Array) => unknown, options: FuzzOptions): void {
  const refused = options.refused ?? isText;
  for (const frame of options.valid) {
    const shortest = options.shortest?.(frame) ?? frame.length;
    for (let length = 0; length <= frame.length; length++) {
      const result = attempt(decode, frame.slice(0, length), { ...options, label: `cut to ${length}` });
      assertEquals(refused(result), length < shortest, `${toHex(frame)} cut to ${length}`);
    }
  }
}

function attempt(
  decode: (data: Uint8Array) => unknown,
  input: Uint8Array,
  options: FuzzOptions & { label: string },
): unknown {
  const before = input.slice();
  try {
    const result = decode(input);
    assert(equalBytes(input, before), "the input was written to");
    if (!(options.refused ?? isText)(result)) options.check?.(input, result);
    return result;
  } catch (error) {
    throw new Error(`${options.label}: ${toHex(before)}`, { cause: error });
  }
}

/** Random bytes of random length, usually short; half of them begin like a valid frame. */
function randomInput(random: SeededRandom, valid: readonly Uint8Array[]): Uint8Array {
  const input = random.bytes(new Uint8Array(random.chance(0.02) ? random.int(2048) : random.int(160)));
  const model = valid[random.int(valid.length)];
  if (model !== undefined && random.chance(0.5)) {
    input.set(model.subarray(0, Math.min(random.int(8), model.length, input.length)));
  }
  return input;
}

/** A valid frame with a few bytes changed, cut or added. */
function mutated(random: SeededRandom, valid: readonly Uint8Array[]): Uint8Array {
  const model = valid[random.int(valid.length)] ?? new Uint8Array(0);
  const extra = random.chance(0.3) ? random.int(20) : 0;
  const kept = random.chance(0.3) ? random.int(model.length + 1) : model.length;
  const input = new Uint8Array(kept + extra);
  input.set(model.subarray(0, kept));
  random.bytes(input.subarray(kept));
  for (let change = random.int(4); change > 0 && input.length > 0; change--) {
    const at = random.int(random.chance(0.5) ? Math.min(input.length, 12) : input.length);
    input[at] = random.chance(0.3) ? 0xff : random.int(256);
  }
  return input;
}

/** Feeds a stream reader its input in pieces of random length and collects what comes out, with the final word. */
export function inPieces<Item>(
  reader: { push(chunk: Uint8Array): Item[] | "too-long" },
  options: { stream: Uint8Array; random: SeededRandom; largest: number },
): Item[] {
  const items: Item[] = [];
  for (let start = 0; start < options.stream.length;) {
    const end = start + 1 + options.random.int(options.largest);
    const chunk = options.stream.slice(start, end);
    const result = reader.push(chunk);
    // The reader must not have kept a view: the caller reuses its buffer.
    chunk.fill(0xaa);
    if (result === "too-long") break;
    items.push(...result);
    start = end;
  }
  return items;
}
