/** JSON at the edges: text to bytes, and typed access to the members of an object nobody vouches for. */

import { decodeUtf8, encodeUtf8 } from "./bytes.ts";

/** Compact JSON of a value in UTF-8. @throws TypeError when the value has no JSON form */
export function encodeJson(value: unknown): Uint8Array<ArrayBuffer> {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new TypeError("the value has no JSON form");
  return encodeUtf8(text);
}

/** The value of JSON bytes, `undefined` when they are not JSON. Invalid UTF-8 is read as U+FFFD. */
export function decodeJson(bytes: Uint8Array): unknown | undefined {
  return parseJson(decodeUtf8(bytes));
}

/** The value of a JSON text, `undefined` when it is none. */
export function parseJson(text: string): unknown | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

/**
 * The members of a JSON object. Each reader gives the member if it is there with the right type, else `undefined`.
 */
export class Members {
  readonly #object: object;

  private constructor(object: object) {
    this.#object = object;
  }

  /** The members of `value`, `undefined` when it is not a JSON object. */
  static of(value: unknown): Members | undefined {
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? new Members(value)
      : undefined;
  }

  /** The raw member; only own ones, so that `__proto__` and the like are just names. */
  get(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? Reflect.get(this.#object, name) : undefined;
  }

  string(name: string): string | undefined {
    const value = this.get(name);
    return typeof value === "string" ? value : undefined;
  }

  boolean(name: string): boolean | undefined {
    const value = this.get(name);
    return typeof value === "boolean" ? value : undefined;
  }

  /** A finite number. */
  number(name: string): number | undefined {
    const value = this.get(name);
    return typeof value === "number" && Number.isFinite(value) ? value : undefined;
  }

  /** A whole number from 0 to `maximum`. */
  uint(name: string, maximum: number): number | undefined {
    const value = this.number(name);
    return value !== undefined && Number.isInteger(value) && value >= 0 && value <= maximum
      ? value
      : undefined;
  }

  list(name: string): readonly unknown[] | undefined {
    const value = this.get(name);
    return Array.isArray(value) ? value : undefined;
  }

  /** The strings among the elements of a list. */
  strings(name: string): string[] | undefined {
    return this.list(name)?.filter((element) => typeof element === "string");
  }

  /** The objects among the elements of a list. */
  objects(name: string): Members[] | undefined {
    return this.list(name)?.map(Members.of).filter((element) => element !== undefined);
  }

  object(name: string): Members | undefined {
    return Members.of(this.get(name));
  }
}

/** An object with one member, or with none when `value` is `undefined`: to be spread into an object literal. */
export function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [Key in Name]?: Value } {
  const result: { [Key in Name]?: Value } = {};
  if (value !== undefined) result[name] = value;
  return result;
}
