/** Flags of `agent start` about the way to the beacon. */

import type { Flag } from "../../../lib/cli/command.ts";

/** How datagrams leave this network. */
export const TRANSPORT_FLAGS: readonly Flag[] = [
  {
    name: "transport",
    kind: "string",
    placeholder: "auto|udp|wss",
    summary: "UDP, or a relay over WebSocket where UDP is blocked (else PILOT_TRANSPORT, auto)",
  },
  {
    name: "compat-url",
    kind: "string",
    placeholder: "URL",
    summary: "The relay over WebSocket (else PILOT_COMPAT_URL, wss://BEACON/v1/compat)",
  },
  {
    name: "proxy",
    kind: "string",
    placeholder: "auto|off|URL",
    summary: "HTTP proxy for TLS connections (else PILOT_PROXY; auto: HTTPS_PROXY, ALL_PROXY, NO_PROXY)",
  },
  {
    name: "proxy-cmd",
    kind: "string",
    placeholder: "COMMAND",
    summary: "Shell command that prints the URL of the proxy; asked again for new credentials",
  },
  {
    name: "tls-ca",
    kind: "string",
    placeholder: "FILE",
    summary: "Authorities trusted beside those of the system, PEM (else PILOT_TLS_CA)",
  },
  {
    name: "registry-tls",
    kind: "boolean",
    summary: "Reach the registry by TLS, through the proxy if there is one (else PILOT_REGISTRY_TLS=true)",
  },
];
