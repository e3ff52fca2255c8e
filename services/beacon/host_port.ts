/** `HOST:PORT` as an operator writes it. */

import { type Endpoint, splitHostPort } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";

const ADDRESS_HINT = "write HOST:PORT, such as 203.0.113.1:9001";

/** The parts of `HOST:PORT`. @throws PilotError `invalid_argument`, naming it as `what` */
export function parseHostPort(
  text: string,
  what: string,
  options: { hostOptional?: boolean } = {},
): Endpoint {
  const parts = splitHostPort(text);
  const complete = parts !== undefined &&
    (options.hostOptional === true || (parts.host !== "" && parts.port !== 0));
  if (complete) return parts;
  throw new PilotError("invalid_argument", `malformed ${what}: ${text}`, { hint: ADDRESS_HINT });
}
