import { Directory } from "../../lib/registry/directory.ts";
import { MemoryStore } from "../../lib/registry/memory_store.ts";
import { assertReply, CONVERSATION, HOSTS, startAtEleven } from "./conversation.ts";
import { START } from "./fixture.ts";

Deno.test("the sample conversation of the public protocol, with its signatures", () => {
  const store = new MemoryStore();
  startAtEleven(store);
  const directory = new Directory({ store });
  for (const [host, request, expected] of CONVERSATION) {
    assertReply(directory.answer(request, HOSTS[host], START), expected);
  }
});
