/** What was found, printed as it comes and summed up at the end. */

import { CHECKS_NOT_YET, NETWORK_CLASSES, type NetworkClass } from "./expected.ts";

/** Counts what passed and failed, and keeps the figures for the table. */
export class Report {
  readonly #started = performance.now();
  readonly #cells = new Map<string, string>();
  readonly #failures: string[] = [];
  #passed = 0;

  /**
   * Runs a check, which resolves with figures, or throws when something is not as it must be. What is listed in
   * `CHECKS_NOT_YET` must throw. `context` gives what helps to find out why it did.
   */
  async check(name: string, run: () => Promise<string>, context: () => string): Promise<void> {
    const missing = CHECKS_NOT_YET[name];
    try {
      const figures = await run();
      if (missing === undefined) this.pass(name, figures);
      else this.fail(name, `${figures}: it works now, take it off the list CHECKS_NOT_YET`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (missing === undefined) this.fail(name, reason, context());
      else this.pass(name, `${reason}; not yet: ${missing}`);
    }
  }

  /** Something holds. */
  pass(name: string, figures: string): void {
    this.#passed++;
    console.log(`${name} ... ok (${figures})`);
  }

  /** Something does not hold; `context` is what helps to find out why. */
  fail(name: string, reason: string, context = ""): void {
    this.#failures.push(`${name}: ${reason}`);
    console.log(`${name} ... FAILED: ${reason}`);
    if (context !== "") console.log(`${context}\n--- end of what belongs to: ${name}`);
  }

  /** A field of the table. */
  cell(row: NetworkClass, column: NetworkClass, text: string): void {
    this.#cells.set(`${row} ${column}`, text);
  }

  get failed(): boolean {
    return this.#failures.length > 0;
  }

  /** Prints the table, the failures, and a line as a test run has it. */
  finish(): void {
    if (this.#cells.size > 0) console.log(`\n${this.#table()}`);
    for (const failure of this.#failures) console.log(`FAILED ${failure}`);
    const seconds = Math.round((performance.now() - this.#started) / 1000);
    const word = this.failed ? "FAILED" : "ok";
    console.log(`\n${word} | ${this.#passed} passed | ${this.#failures.length} failed (${seconds}s)`);
  }

  #table(): string {
    const names = NETWORK_CLASSES.filter((name) =>
      [...this.#cells.keys()].some((key) => key.split(" ").includes(name))
    );
    const rows = [
      ["dials", ...names],
      ...names.map((row) => [
        row,
        ...names.map((column) => this.#cells.get(`${row} ${column}`) ?? ""),
      ]),
    ];
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ??
      [];
    const lines = rows.map((row) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | "));
    return [
      "ms to the first byte / ms until the path is direct / path (* is not reached yet); a row dials a column",
      ...lines.map((line) => line.trimEnd()),
    ].join("\n");
  }
}
