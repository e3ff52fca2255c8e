/** Every class dials every class, each pair with agents that have never met since they started. */

import { runCrowd, type Task } from "./crowd.ts";
import { type Measured, measureDial, type Patience } from "./dial.ts";
import { expectedOutcome, NETWORK_CLASSES, type NetworkClass, notYet, type Outcome } from "./expected.ts";
import type { Home } from "./internet.ts";
import { befriend, type Lab, type LabAgent } from "./lab.ts";
import type { Report } from "./report.ts";

/** Programs that start, or dials that run, at the same time. */
const AT_ONCE = 3;

/** How long each outcome may take. The product promises less; a busy computer must not fail. */
const PATIENCE: Readonly<Record<Outcome, Patience>> = {
  direct: { firstMs: 10_000, directMs: 20_000 },
  searched: { firstMs: 10_000, directMs: 25_000 },
  relay: { firstMs: 10_000, directMs: 5_000 },
  wss: { firstMs: 10_000, directMs: 3_000 },
};
/** How long to wait for the first byte where none is expected yet, milliseconds. */
const HOPELESS_MS = 3_000;

/** A place in the lab: who is connected how. */
export interface Station {
  readonly home: Home;
  readonly agent: LabAgent;
}

/** One pair: the first dials. */
export interface Cell {
  readonly row: NetworkClass;
  readonly column: NetworkClass;
}

/** All pairs, in an order in which neighbours share no agent. */
export function allCells(): Cell[] {
  const { length } = NETWORK_CLASSES;
  return NETWORK_CLASSES.flatMap((_, shift) =>
    NETWORK_CLASSES.flatMap((row, index): Cell[] => {
      const column = NETWORK_CLASSES[(index + shift) % length];
      return column === undefined ? [] : [{ row, column }];
    })
  );
}

/** How a cell is called in the output. */
export function cellName({ row, column }: Cell): string {
  return `${row} dials ${column}`;
}

/** The stations of the matrix: per class one that dials and one that answers, with agents made when needed. */
export class Matrix {
  readonly #lab: Lab;
  readonly #report: Report;
  readonly #stations = new Map<string, Station>();

  constructor(lab: Lab, report: Report) {
    this.#lab = lab;
    this.#report = report;
  }

  /** Builds what the cells need, makes the pairs trust each other, and starts all agents anew. */
  async prepare(cells: readonly Cell[]): Promise<void> {
    for (const { row, column } of cells) {
      await this.#build("a", row);
      await this.#build("b", column);
    }
    const stations = [...this.#stations.values()];
    await inTurns(stations, ({ agent }) => agent.start());
    await runCrowd(
      cells.map((cell) => {
        const { a, b } = this.pair(cell);
        return { needs: [a.agent.name, b.agent.name], run: () => befriend(a.agent, b.agent) };
      }),
      AT_ONCE,
    );
    await this.cool(stations);
  }

  /** Starts these agents anew, and no others, with nothing left of their tunnels. */
  async cool(stations: readonly Station[]): Promise<void> {
    await this.end();
    await this.#lab.forgetWhereabouts();
    for (const { home } of stations) await home.forgetFlows();
    await inTurns(stations, ({ agent }) => agent.start());
  }

  /** Stops all agents. */
  async end(): Promise<void> {
    const running = [...this.#stations.values()].filter(({ agent }) => agent.isUp);
    await inTurns(running, ({ agent }) => agent.stop());
  }

  /** The stations of a cell. */
  pair({ row, column }: Cell): { readonly a: Station; readonly b: Station } {
    const a = this.#stations.get(`a ${row}`);
    const b = this.#stations.get(`b ${column}`);
    if (a === undefined || b === undefined) throw new Error(`nothing was built for ${row} and ${column}`);
    return { a, b };
  }

  /** Measures all cells. */
  async run(cells: readonly Cell[]): Promise<void> {
    const watching: Promise<void>[] = [];
    const again: Cell[] = [];
    const tasks = cells.map((cell): Task => {
      const { a, b } = this.pair(cell);
      return {
        needs: [a.agent.name, b.agent.name],
        run: async () => {
          const { promise, resolve } = Promise.withResolvers<void>();
          const whole = this.#cell(cell, resolve, again);
          watching.push(whole);
          await (this.#mayOverlap(cell) ? promise : whole);
        },
      };
    });
    await runCrowd(tasks, AT_ONCE);
    await Promise.all(watching);
    for (const cell of again) await this.#secondChance(cell);
  }

  /** Repeats the searched cells with cold agents: nine of ten must succeed. */
  async repeat(cells: readonly Cell[], runs: number): Promise<void> {
    for (const cell of cells) {
      const name = `${cellName(cell)}, ${runs} times`;
      const times: number[] = [];
      for (let run = 0; run < runs; run++) {
        const measured = await this.#coldDial(cell);
        if (measured.directMs !== undefined) times.push(measured.directMs);
        console.log(`${name}: ${run + 1}: ${describe(measured)}`);
      }
      const figures = `direct in ${times.length} of ${runs}, after ${
        times.toSorted((x, y) => x - y).join(" ")
      } ms`;
      if (times.length >= Math.floor(runs * 0.9)) this.#report.pass(name, figures);
      else this.#report.fail(name, figures, this.#context(cell));
    }
  }

  async #build(side: "a" | "b", kind: NetworkClass): Promise<void> {
    const key = `${side} ${kind}`;
    if (this.#stations.has(key)) return;
    const name = `${side}-${kind.toLowerCase()}`;
    const home = await this.#lab.internet.addHome(name, kind, side === "a" ? 0 : 1);
    this.#stations.set(key, { home, agent: this.#lab.agent(name, home.host) });
  }

  /** Whether its agents may dial others while it is watched: nothing but keeping the connection goes on. */
  #mayOverlap({ row, column }: Cell): boolean {
    const outcome = expectedOutcome(row, column);
    return outcome === "relay" || outcome === "wss" || notYet(row, column) !== undefined;
  }

  async #cell(cell: Cell, connected: () => void, again: Cell[]): Promise<void> {
    const { a, b } = this.pair(cell);
    const outcome = expectedOutcome(cell.row, cell.column);
    const missing = notYet(cell.row, cell.column);
    const patience = {
      ...PATIENCE[outcome],
      ...(missing?.instead === "none" ? { firstMs: HOPELESS_MS } : {}),
    };
    const measured = await measureDial(a.agent, b.agent, { patience, connected });
    // Searching is a matter of chance.
    if (outcome === "searched" && missing === undefined && measured.path === "relay") again.push(cell);
    else this.#judge(cell, measured);
  }

  async #secondChance(cell: Cell): Promise<void> {
    console.log(`${cellName(cell)}: not direct in time; once more with cold agents`);
    this.#judge(cell, await this.#coldDial(cell));
  }

  async #coldDial(cell: Cell): Promise<Measured> {
    const { a, b } = this.pair(cell);
    await this.cool([a, b]);
    const patience = PATIENCE[expectedOutcome(cell.row, cell.column)];
    return await measureDial(a.agent, b.agent, { patience });
  }

  #judge(cell: Cell, measured: Measured): void {
    const outcome = expectedOutcome(cell.row, cell.column);
    const missing = notYet(cell.row, cell.column);
    const wanted = PATHS[outcome];
    const name = cellName(cell);
    const figures = describe(measured);
    const shown = measured.path === wanted ? outcome : measured.path;
    this.#report.cell(
      cell.row,
      cell.column,
      `${measured.firstMs ?? "-"} / ${measured.directMs ?? "-"} / ${shown}${
        missing === undefined ? "" : "*"
      }`,
    );
    if (missing === undefined) {
      if (measured.path === wanted) return this.#report.pass(name, figures);
      return this.#report.fail(name, `${figures}, not ${outcome}`, this.#context(cell));
    }
    if (measured.path === missing.instead) {
      return this.#report.pass(name, `${figures}; ${outcome} not yet: ${missing.reason}`);
    }
    const reason = measured.path === wanted
      ? `${figures}: it works now, take it off the list NOT_YET`
      : `${figures}, not even ${missing.instead}`;
    this.#report.fail(name, reason, measured.path === wanted ? "" : this.#context(cell));
  }

  #context(cell: Cell): string {
    const { a, b } = this.pair(cell);
    return [this.#lab.log, a.agent.log, b.agent.log].join("\n");
  }
}

const PATHS = { direct: "direct", searched: "direct", relay: "relay", wss: "relay" } as const;

function describe({ path, firstMs, directMs, problem }: Measured): string {
  const times = [
    ...(firstMs === undefined ? [] : [`first byte after ${firstMs} ms`]),
    ...(directMs === undefined ? [] : [`direct after ${directMs} ms`]),
  ];
  const how = path === "none" ? "no connection" : path;
  return [...times, problem === undefined ? how : `${how} (${problem})`].join(", ");
}

async function inTurns(
  stations: readonly Station[],
  work: (station: Station) => Promise<void>,
): Promise<void> {
  const tasks = stations.map((station) => ({ needs: [station.agent.name], run: () => work(station) }));
  await runCrowd(tasks, AT_ONCE);
}
