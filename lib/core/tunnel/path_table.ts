/** The direct paths to one peer that are known, bounded. */

import { sameEndpoint } from "../../wire/endpoint.ts";
import { MAX_CANDIDATES } from "../constants.ts";
import type { Instant } from "../machine.ts";
import { type CandidateSource, Path, type Route } from "./route.ts";

/** What the table asks and tells. */
export interface PathTableOptions {
  /** The largest datagram worth trying on a route, bytes of UDP payload. */
  readonly ceiling: (route: Route) => number;
  /** An extra socket is not used by any path any more. */
  readonly release: (via: number) => void;
}

/** Direct paths: at most `MAX_CANDIDATES`, one per endpoint and socket. */
export class PathTable {
  readonly #options: PathTableOptions;
  readonly #paths: Path[] = [];

  constructor(options: PathTableOptions) {
    this.#options = options;
  }

  /** All of them, oldest first. */
  get all(): readonly Path[] {
    return this.#paths;
  }

  /** The path that frames by `route` belong to. */
  find(route: Route): Path | undefined {
    for (const path of this.#paths) if (path.carries(route)) return path;
    return undefined;
  }

  /** Those that frames most likely arrive by, at most `count`: proven ones first, then the ones heard last. */
  guesses(count: number): Path[] {
    return this.#paths.toSorted((a, b) =>
      Number(b.isProven) - Number(a.isProven) || (b.heardAt ?? -Infinity) - (a.heardAt ?? -Infinity)
    ).slice(0, count);
  }

  /** Adds a direct path that is not known. */
  add(route: Route, at: { readonly now: Instant; readonly source: CandidateSource }): Path {
    if (this.#paths.length >= MAX_CANDIDATES) this.#dropWorst();
    const path = new Path(route, { ...at, ceiling: this.#options.ceiling(route) });
    this.#paths.push(path);
    return path;
  }

  /** Removes a path, and with the last one of it an extra socket. */
  drop(path: Path): void {
    const index = this.#paths.indexOf(path);
    if (index < 0) return;
    this.#paths.splice(index, 1);
    const { via } = path;
    if (via !== 0 && !this.#paths.some((each) => each.via === via)) this.#options.release(via);
  }

  /** Removes the unproven paths from extra sockets, and all of them with `proven`. */
  dropExtra({ proven }: { readonly proven: boolean }): void {
    for (const path of [...this.#paths]) if (path.via !== 0 && (proven || !path.isProven)) this.drop(path);
  }

  /**
   * An answer to a probe of `path` came from elsewhere at the same address, as through a NAT that maps by destination:
   * from now on that is no further place to try.
   */
  noteAlias(path: Path, from: Route | undefined): void {
    if (from?.kind !== "direct" || path.route.kind !== "direct" || path.carries(from)) return;
    if ((from.via ?? 0) !== path.via || from.endpoint.host !== path.route.endpoint.host) return;
    const other = this.#paths.find(({ route, via }) =>
      via === path.via && route.kind === "direct" && sameEndpoint(route.endpoint, from.endpoint)
    );
    if (other?.isProven === true) return;
    path.alias = from.endpoint;
    if (other !== undefined) this.drop(other);
  }

  /** Makes room: the unproven path that was heard from least recently goes, never a proven one before it. */
  #dropWorst(): void {
    let worst = this.#paths[0];
    for (const path of this.#paths) {
      if (worst === undefined) return;
      const order = Number(path.isProven) - Number(worst.isProven) || heard(path) - heard(worst);
      if (order < 0) worst = path;
    }
    if (worst !== undefined) this.drop(worst);
  }
}

/** When a path was heard, for comparison. */
function heard(path: Path): Instant {
  return path.heardAt ?? -1e15;
}
