/** The answer to `Info`, cut to the size of one message. */

import { encodeUtf8 } from "../../../lib/wire/bytes.ts";
import type { AgentHealth, AgentInfo, PeerPaths } from "../api.ts";

/** Additions of the local protocol, listed among the features. */
const LOCAL_FEATURES = [
  "dgram_confirm",
  "unbind",
  "cancel",
  "half_close",
  "stream_credit",
  "events",
  "paths",
  "doctor",
  "trace",
];

/**
 * The JSON of `Info` in at most `maxBytes`: the longest of the two lists is halved until it fits, and
 * `conn_list_truncated` or `peer_list_truncated` says so.
 */
export function infoJson(info: AgentInfo, maxBytes: number): string {
  const features = [...new Set([...info.features, ...LOCAL_FEATURES])];
  let connections = info.conn_list.length;
  let peers = info.peer_list.length;
  for (;;) {
    const json = JSON.stringify({
      ...info,
      features,
      conn_list: info.conn_list.slice(0, connections),
      peer_list: info.peer_list.slice(0, peers),
      ...(connections < info.conn_list.length ? { conn_list_truncated: true } : {}),
      ...(peers < info.peer_list.length ? { peer_list_truncated: true } : {}),
    });
    if (connections + peers === 0 || fits(json, maxBytes)) return json;
    if (connections >= peers) connections = Math.floor(connections / 2);
    else peers = Math.floor(peers / 2);
  }
}

/** The JSON of `Paths` in at most `maxBytes`: the list of peers is halved until it fits, and `truncated` says so. */
export function pathsJson(peers: readonly PeerPaths[], maxBytes: number): string {
  for (let count = peers.length;; count = Math.floor(count / 2)) {
    const truncated = count < peers.length ? { truncated: true } : {};
    const json = JSON.stringify({ peers: peers.slice(0, count), ...truncated });
    if (count === 0 || fits(json, maxBytes)) return json;
  }
}

/** The JSON of `Health`. */
export function healthJson(health: AgentHealth, extensions: number): string {
  return JSON.stringify({ status: "ok", ...health, extensions });
}

function fits(json: string, maxBytes: number): boolean {
  return json.length <= maxBytes && (json.length * 3 <= maxBytes || encodeUtf8(json).length <= maxBytes);
}
