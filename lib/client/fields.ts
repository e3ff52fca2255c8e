/** Members of JSON objects from an agent, which may be of any make and age: what is missing gets a neutral value. */

/** Reads members of one object. */
export class Fields {
  readonly #members: ReadonlyMap<string, unknown>;

  /** Anything that is not an object counts as an empty one. */
  constructor(json: unknown) {
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    this.#members = new Map(isObject ? Object.entries(json) : []);
  }

  /** Parses a text; malformed JSON counts as an empty object. */
  static parse(text: string): Fields {
    try {
      return new Fields(JSON.parse(text));
    } catch {
      return new Fields(undefined);
    }
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** A number, 0 when missing. */
  number(name: string): number {
    const value = this.#members.get(name);
    return typeof value === "number" ? value : 0;
  }

  /** A number, `null` when missing. */
  numberOrNull(name: string): number | null {
    const value = this.#members.get(name);
    return typeof value === "number" ? value : null;
  }

  /** A text, empty when missing. */
  text(name: string): string {
    const value = this.#members.get(name);
    return typeof value === "string" ? value : "";
  }

  /** A truth value, false when missing. */
  flag(name: string): boolean {
    return this.#members.get(name) === true;
  }

  /** The elements of a list that are numbers. */
  numbersOf(name: string): number[] {
    return this.#list(name).filter((element) => typeof element === "number");
  }

  /** The elements of a list that are texts. */
  texts(name: string): string[] {
    return this.#list(name).filter((element) => typeof element === "string");
  }

  /** The elements of a list. */
  objects(name: string): Fields[] {
    return this.#list(name).map((element) => new Fields(element));
  }

  /** A member that is an object. */
  object(name: string): Fields {
    return new Fields(this.#members.get(name));
  }

  /** All members that are numbers. */
  numbers(): Record<string, number> {
    const numbers: Record<string, number> = {};
    for (const [name, value] of this.#members) if (typeof value === "number") numbers[name] = value;
    return numbers;
  }

  /** One of the given words, the first of them when it is none. */
  word<const Word extends string>(name: string, words: readonly [Word, ...Word[]]): Word {
    const value = this.#members.get(name);
    return words.find((word) => word === value) ?? words[0];
  }

  #list(name: string): unknown[] {
    const value = this.#members.get(name);
    return Array.isArray(value) ? value : [];
  }
}
