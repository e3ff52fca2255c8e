/** What the messages of nodes tell a beacon about where they are. */

import type { Instant } from "../core/machine.ts";
import { BROADCAST_NODE } from "../wire/address.ts";
import type { BeaconParts } from "./parts.ts";
import type { Sighting } from "./table.ts";

/** Notes a sighting; whether the node is now believed to be there. Nodes without an ID are nobody's. */
export function noteSighting(
  { nodes, stats }: Pick<BeaconParts, "nodes" | "stats">,
  node: number,
  { now, ...sighting }: Sighting & { readonly now: Instant },
): boolean {
  if (node === 0 || node === BROADCAST_NODE) return false;
  const learned = nodes.learn(node, sighting, now);
  if (learned === "contested") stats.contested++;
  if (learned !== "refused" && learned !== "full") return true;
  stats.claimsRefused++;
  return false;
}
