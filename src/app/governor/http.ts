// HTTP/1.1 with JSON, against clients that are slow, wrong or hostile. Time limits, sizes and numbers
// are bounded before anything is parsed; whatever is wrong is answered with 4xx.
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { BootstormError } from "../../core/error.ts";

const BODY_BYTES_MAX = 64 << 10;
const HEADER_BYTES_MAX = 8 << 10;
/** A request has to arrive within this; what is answered may take as long as it takes. */
const REQUEST_LIMIT_MS = 10_000;
const CHECK_EVERY_MS = 1000;
const IDLE_LIMIT_MS = 60_000;
/** Requests of one connection that may be unanswered: each holds memory. */
const PIPELINED_MAX = 64;

export interface Request {
  readonly method: string;
  /** Without what follows a question mark. */
  readonly path: string;
  /** Undefined where there was no body. */
  readonly body: unknown;
  /** On the monotonic clock. */
  readonly arrivedNs: bigint;
}

/** Answers a request: now or later, with `reply`, or by writing to the response. */
export type Answer = (request: Request, response: ServerResponse) => void;

/** What is wrong, as clients get it. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly why: string;
  readonly remedies?: readonly string[];
  /** Beside the error, such as the permit it is about. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export interface ServerOptions {
  readonly connectionsMax: number;
  /** Clients must bring it; absent: the file mode of the socket keeps others out. */
  readonly token?: string;
  readonly answer: Answer;
  readonly refused: (code: string) => void;
}

export function createApiServer({ connectionsMax, token, answer, refused }: ServerOptions): Server {
  const unanswered = new WeakMap<Socket, number>();
  const isAllowed = token === undefined ? () => true : tokenCheck(token);
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: REQUEST_LIMIT_MS,
      requestTimeout: REQUEST_LIMIT_MS,
      keepAliveTimeout: IDLE_LIMIT_MS,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      noDelay: true,
    },
    (message, response) => {
      const arrivedNs = process.hrtime.bigint();
      const { socket } = message;
      const count = (unanswered.get(socket) ?? 0) + 1;
      if (count > PIPELINED_MAX) {
        socket.destroy();
        return;
      }
      unanswered.set(socket, count);
      response.once("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
      const refuseWith = (refusal: Refusal) => {
        refused(refusal.code);
        refuse(response, refusal);
      };
      if (!isAllowed(message)) {
        endWith(message, response, refuseWith, WRONG_TOKEN);
        return;
      }
      readBody(message, (body) => {
        if ("status" in body) {
          endWith(message, response, refuseWith, body);
          return;
        }
        const { method = "", url = "" } = message;
        const path = url.split("?", 1)[0]!;
        answer({ method, path, body: body.value, arrivedNs }, response);
      });
    },
  );
  server.maxConnections = connectionsMax;
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    refused("BAD_HTTP");
    if (socket.writable) socket.write(rawAnswer(error));
    socket.destroy();
  });
  return server;
}

const WRONG_TOKEN: Refusal = {
  status: 401,
  code: "WRONG_TOKEN",
  message: "this listener wants a token",
  why: "authorization is not `Bearer TOKEN` with the token of the configured file",
};

/** The rest of the request is not read. */
function endWith(
  message: IncomingMessage,
  response: ServerResponse,
  refuseWith: (refusal: Refusal) => void,
  refusal: Refusal,
): void {
  response.setHeader("connection", "close");
  message.removeAllListeners("data");
  response.once("finish", () => message.socket.destroy());
  refuseWith(refusal);
}

/** Equal length before comparing, so that the time tells nothing. */
function tokenCheck(token: string): (message: IncomingMessage) => boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const wanted = digest(`Bearer ${token}`);
  return ({ headers }) => timingSafeEqual(digest(headers.authorization ?? ""), wanted);
}

function readBody(
  message: IncomingMessage,
  done: (body: { readonly value: unknown } | Refusal) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  if (Number(message.headers["content-length"] ?? 0) > BODY_BYTES_MAX) {
    done(TOO_LARGE);
    return;
  }
  message.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > BODY_BYTES_MAX) {
      message.removeAllListeners("end");
      done(TOO_LARGE);
    }
  });
  message.on("end", () => done(parseBody(chunks, bytes)));
}

const TOO_LARGE: Refusal = {
  status: 413,
  code: "BODY_TOO_LARGE",
  message: "the body is too large",
  why: `at most ${BODY_BYTES_MAX} bytes are read`,
};

function parseBody(chunks: readonly Buffer[], bytes: number): { value: unknown } | Refusal {
  if (bytes === 0) return { value: undefined };
  try {
    return { value: JSON.parse(Buffer.concat(chunks, bytes).toString()) };
  } catch (error) {
    return {
      status: 400,
      code: "BAD_JSON",
      message: "the body is no JSON",
      why: (error as Error).message,
    };
  }
}

/** Of what is no HTTP, too long, or does not come. */
function rawAnswer({ code }: NodeJS.ErrnoException): string {
  const [status, why] =
    code === "HPE_HEADER_OVERFLOW"
      ? ["431 Request Header Fields Too Large", `at most ${HEADER_BYTES_MAX} bytes are read`]
      : code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ["408 Request Timeout", `a request has to arrive within ${REQUEST_LIMIT_MS} ms`]
        : ["400 Bad Request", "this is no HTTP/1.1"];
  const body = JSON.stringify({
    error: { code: "BAD_HTTP", message: "the request cannot be read", why, remedies: [] },
  });
  return `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Answers with JSON, unless the client has left. */
export function reply(response: ServerResponse, status: number, body: unknown): void {
  replyText(response, status, "application/json", JSON.stringify(body));
}

export function replyText(
  response: ServerResponse,
  status: number,
  type: string,
  text: string,
): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

export function refuse(response: ServerResponse, refusal: Refusal): void {
  const { status, code, message, why, remedies = [], more = {} } = refusal;
  reply(response, status, { error: { code, message, why, remedies }, ...more });
}

export function refusalOf(status: number, error: BootstormError): Refusal {
  const { code, message, why, remedies } = error;
  return { status, code, message, why, remedies };
}
