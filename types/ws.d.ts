/** The few signatures of `ws` (a WebSocket implementation for Node.js) that are used; the package ships none. */

import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

export interface ClientOptions {
  createConnection?: () => Duplex;
  followRedirects?: boolean;
  handshakeTimeout?: number;
  headers?: Record<string, string>;
  maxPayload?: number;
  perMessageDeflate?: boolean;
}

export interface WebSocketEvents {
  open: [];
  message: [data: Buffer, isBinary: boolean];
  ping: [data: Buffer];
  pong: [data: Buffer];
  close: [code: number, reason: Buffer];
  error: [error: Error];
  "unexpected-response": [request: { destroy(): void }, response: IncomingMessage];
}

export class WebSocket {
  constructor(url: string, protocols: string | string[], options?: ClientOptions);
  readonly protocol: string;
  readonly readyState: number;
  /** Bytes given to `send` that have not left. */
  readonly bufferedAmount: number;
  on<Name extends keyof WebSocketEvents>(
    name: Name,
    listener: (...args: WebSocketEvents[Name]) => void,
  ): this;
  send(data: string | Uint8Array, options?: { binary?: boolean }): void;
  ping(): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

export interface ServerOptions {
  noServer: true;
  clientTracking?: boolean;
  handleProtocols?: (protocols: Set<string>) => string | false;
  maxPayload?: number;
  perMessageDeflate?: boolean;
}

export class WebSocketServer {
  constructor(options: ServerOptions);
  handleUpgrade(
    request: { readonly method: string; readonly url: string; readonly headers: Record<string, string> },
    socket: Duplex,
    head: Uint8Array,
    done: (socket: WebSocket) => void,
  ): void;
}
