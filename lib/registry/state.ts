/** What the handlers of requests share, and the check that all signed requests go through. */

import { decodeBase64, encodeUtf8 } from "../wire/bytes.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { registryChallenge, type RegistryError, type RegistryRequest } from "../wire/registry.ts";
import type { Beacons } from "./beacons.ts";
import type { Budgets } from "./budgets.ts";
import type { Inbox } from "./inbox.ts";
import type { Names } from "./names.ts";
import type { Policy } from "./policy.ts";
import { refuse } from "./refusal.ts";
import type { Relations } from "./relations.ts";
import type { NodeRecord, Store } from "./store.ts";

/** Checks an Ed25519 signature (RFC 8032). Must not throw, whatever the bytes. */
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** The parts of a registry. */
export interface State {
  readonly store: Store;
  readonly policy: Policy;
  readonly names: Names;
  readonly relations: Relations;
  readonly inbox: Inbox;
  readonly beacons: Beacons;
  readonly budgets: Budgets;
  readonly verify: Verify;
}

/** Who asks, and when: the source of the TCP connection and Unix milliseconds. */
export interface Call {
  readonly from: Endpoint;
  readonly now: number;
}

/** The live node that signed `request`, which must be `id`; or the refusal. */
export function signer(state: State, id: number, request: RegistryRequest): NodeRecord | RegistryError {
  const record = state.store.node(id);
  if (record === undefined || !record.live) {
    return refuse("not_registered", `node ${id} is not registered`, { hint: "register first" });
  }
  const signature = "signature" in request ? request.signature ?? "" : "";
  if (signature === "") return refuse("bad_signature", "the signature is missing");
  if (!isSignedBy(state, record.publicKey, { text: registryChallenge(request), signature })) {
    return refuse("bad_signature", `the signature is not by the registered key of node ${id}`);
  }
  return record;
}

/** Whether a base64 signature over a text is by a base64 key. */
export function isSignedBy(
  state: State,
  publicKey: string,
  signed: { text: string | undefined; signature: string },
): boolean {
  const key = decodeBase64(publicKey);
  const signature = decodeBase64(signed.signature);
  if (key === undefined || signature?.length !== 64 || signed.text === undefined) return false;
  return state.verify(key, encodeUtf8(signed.text), signature);
}

/** A live node that a request is about; or the refusal. */
export function target(state: State, id: number): NodeRecord | RegistryError {
  const record = state.store.node(id);
  return record === undefined || !record.live ? refuse("not_found", `node ${id} is not registered`) : record;
}

/** Whether a check of `signer` or `target` ended in a refusal. */
export function isRefusal(result: NodeRecord | RegistryError): result is RegistryError {
  return "type" in result;
}
