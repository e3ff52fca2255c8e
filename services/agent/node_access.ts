/** How the parts of the agent reach the node, which only its driver may wake. */

import type { Node } from "../../lib/core/node.ts";

/** Access to the node: `act` runs a step with the present time, takes its consequences and sends what follows. */
export interface NodeAccess {
  readonly node: Node;
  act<Result>(step: (node: Node, now: number) => Result): Result;
}
