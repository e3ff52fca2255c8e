/**
 * NAT, endpoint and strategy as `status` and `doctor` show them.
 */

/** How peers get through to this agent, in the words that people know. */
export function strategyWords(strategy: string, natType: string): string {
  switch (strategy) {
    case "direct":
      return "direct (reachable by all)";
    case "hole-punch":
      return "direct (hole-punch)";
    case "relay":
      return natType === "symmetric" ? "relay (direct where the other side's NAT allows)" : "relay";
    case "unknown":
      return "unknown (no beacon answers)";
    default:
      return strategy;
  }
}

/** The three lines that say how an agent is reached. */
export function networkRows(
  network: { readonly nat_type: string; readonly endpoint: string; readonly strategy: string },
): string[][] {
  const { nat_type: natType, endpoint, strategy } = network;
  return [
    ["NAT type:", natType],
    ["Endpoint:", endpoint === "" ? "unknown" : endpoint],
    ["Strategy:", strategyWords(strategy, natType)],
  ];
}
