/** What a beacon is made of. */

import type { Budgets } from "./budget.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Mesh } from "./mesh.ts";
import type { Sessions } from "./sessions.ts";
import type { BeaconSockets } from "./sockets.ts";
import type { BeaconStats } from "./stats.ts";
import type { NodeTable } from "./table.ts";

/** What a beacon is made of. */
export interface BeaconParts {
  readonly nodes: NodeTable;
  readonly sessions: Sessions;
  readonly mesh: Mesh;
  readonly sockets: BeaconSockets;
  readonly budgets: Budgets;
  readonly stats: BeaconStats;
  readonly dispatch: Dispatch;
}
