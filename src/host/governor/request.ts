// One request to a governor, on a connection of its own: HTTP/1.1 with JSON, over its Unix socket or
// over TCP with a token. What comes back is bounded, and believed only where it is what was promised.
import { type IncomingMessage, request } from "node:http";

/** Where a governor listens. */
export type GovernorAddress =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly url: URL; readonly token: string };

export interface GovernorAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface GovernorRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  /** Until the answer is whole; absent: it may take as long as it takes. */
  readonly limitMs?: number;
  readonly signal: AbortSignal;
}

/** Permits are below 2 KiB. */
const ANSWER_BYTES_MAX = 64 << 10;

/** There is no answer, or none of a governor. The message says why. */
export class NoAnswer extends Error {
  /** Asking again gives the same. */
  readonly isLasting: boolean;

  constructor(why: string, { isLasting = false } = {}) {
    super(why);
    this.isLasting = isLasting;
  }
}

/** @throws NoAnswer; the signal's reason when it aborted */
export async function send(
  address: GovernorAddress,
  { method, path, body, limitMs, signal }: GovernorRequest,
): Promise<GovernorAnswer> {
  signal.throwIfAborted();
  const limit = limitMs === undefined ? undefined : AbortSignal.timeout(limitMs);
  // One of its own for each request: a signal that lives long would collect listeners.
  const ended = AbortSignal.any(limit === undefined ? [signal] : [signal, limit]);
  const text = body === undefined ? undefined : JSON.stringify(body);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const message = request({
        ...placeOf(address),
        method,
        path,
        headers: headersOf(address, text),
        agent: false,
        signal: ended,
      });
      message.once("response", resolve);
      message.on("error", reject);
      message.end(text);
    });
    return { status: response.statusCode ?? 0, body: jsonOf(await textOf(response)) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof NoAnswer) throw error;
    if (limit?.aborted) throw new NoAnswer(`it does not answer within ${limitMs! / 1000} s`);
    throw whyNoAnswer(address, error as NodeJS.ErrnoException);
  }
}

export function placeWords(address: GovernorAddress): string {
  return address.kind === "socket" ? address.path : address.url.host;
}

function placeOf(address: GovernorAddress) {
  if (address.kind === "socket") return { socketPath: address.path };
  // IPv6 addresses have brackets in a URL, and only there.
  const host = address.url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: address.url.port || 80 };
}

function headersOf(address: GovernorAddress, text: string | undefined) {
  return {
    ...(address.kind === "tcp" ? { authorization: `Bearer ${address.token}` } : {}),
    ...(text === undefined
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
  };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) {
      response.destroy();
      throw new NoAnswer("what answers is no governor: it says too much");
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes).toString();
}

function jsonOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch {
    // The same as JSON that is something else.
  }
  throw new NoAnswer("what answers is no governor: it does not speak JSON");
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function whyNoAnswer(address: GovernorAddress, { code = "", message }: NodeJS.ErrnoException) {
  const where = placeWords(address);
  if (code === "ENOENT") return new NoAnswer(`there is no socket ${where}`);
  if (code === "ECONNREFUSED") return new NoAnswer(`nobody listens on ${where}`);
  if (code === "EACCES" || code === "EPERM") {
    return new NoAnswer(`you may not open ${where}`, { isLasting: true });
  }
  if (code.startsWith("HPE_")) return new NoAnswer("what answers is no governor: it is no HTTP");
  if (code === "ECONNRESET" || code === "EPIPE") return new NoAnswer("the connection broke");
  return new NoAnswer(message);
}
