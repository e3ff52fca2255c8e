/** What a node says about itself, and the score that others give it. */

import { hostnameError, type RegistryReply, type RegistryRequest } from "../wire/registry.ts";
import { normaliseTags } from "./names.ts";
import { refuse, refuseForRate } from "./refusal.ts";
import { addressOf } from "./registration.ts";
import { type Call, isRefusal, signer, type State, target } from "./state.ts";

type Request<Type extends RegistryRequest["type"]> = Extract<RegistryRequest, { type: Type }>;

/** Gives a node a name, or takes it away when the name is empty. */
export function setHostname(state: State, request: Request<"set_hostname">, call: Call): RegistryReply {
  const { hostname } = request;
  const error = hostname === "" ? undefined : hostnameError(hostname);
  if (error !== undefined) return refuse("invalid", error);
  const node = signer(state, request.node_id, request);
  if (isRefusal(node)) return node;
  if (hostname === "") {
    state.names.clear(node.id);
  } else if (!state.names.isFree(hostname, node.id, call.now)) {
    return refuse("taken", `hostname "${hostname}" is taken`, { hint: "choose another name" });
  } else {
    state.names.take(hostname, node.id);
  }
  return { type: "set_hostname_ok", node_id: node.id, hostname };
}

/** Shows a node's endpoint to everybody, or to trusted peers only. */
export function setVisibility(state: State, request: Request<"set_visibility">): RegistryReply {
  const node = signer(state, request.node_id, request);
  if (isRefusal(node)) return node;
  state.store.putNode({ ...node, public: request.public });
  return {
    type: "set_visibility_ok",
    node_id: node.id,
    visibility: request.public ? "public" : "private",
  };
}

/** Replaces a node's tags. */
export function setTags(state: State, request: Request<"set_tags">): RegistryReply {
  const tags = normaliseTags(request.tags);
  if ("invalid" in tags) return refuse("invalid", tags.invalid);
  const node = signer(state, request.node_id, request);
  if (isRefusal(node)) return node;
  state.store.putNode({ ...node, tags });
  return { type: "set_tags_ok", node_id: node.id, tags: tags.length === 0 ? null : tags };
}

/** Says whether a node carries out tasks for others. */
export function setTaskExec(state: State, request: Request<"set_task_exec">): RegistryReply {
  const node = signer(state, request.node_id, request);
  if (isRefusal(node)) return node;
  state.store.putNode({ ...node, taskExec: request.enabled });
  return { type: "set_task_exec_ok", node_id: node.id, task_exec: request.enabled };
}

/** The score of a node. */
export function getScore(state: State, id: number): RegistryReply {
  const node = target(state, id);
  if (isRefusal(node)) return node;
  return { type: "get_polo_score_ok", node_id: id, address: addressOf(id), polo_score: node.score };
}

/** Changes the score of a node. Anybody may, within bounds; it does not keep the node alive. */
export function changeScore(
  state: State,
  request: Request<"set_polo_score"> | Request<"update_polo_score">,
  call: Call,
): RegistryReply {
  const { maxScore, maxScoreChange } = state.policy;
  const retryAfter = state.budgets.charge("score", call.from.host, call.now);
  if (retryAfter > 0) return refuseForRate(retryAfter);
  const node = target(state, request.node_id);
  if (isRefusal(node)) return node;
  const isUpdate = request.type === "update_polo_score";
  if (isUpdate && Math.abs(request.delta) > maxScoreChange) {
    return refuse("invalid", `delta must be from -${maxScoreChange} to ${maxScoreChange}`);
  }
  const score = isUpdate ? node.score + request.delta : request.polo_score;
  if (Math.abs(score) > maxScore) {
    return refuse("invalid", `a score must be from -${maxScore} to ${maxScore}`);
  }
  state.store.putNode({ ...node, score });
  return {
    type: isUpdate ? "update_polo_score_ok" : "set_polo_score_ok",
    node_id: node.id,
    address: addressOf(node.id),
    polo_score: score,
  };
}
