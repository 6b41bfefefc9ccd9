// QEMU's machine protocol, spoken with a VMM that may be hostile: everything it says is bounded,
// checked, and never more than data. Source: docs/interop/qmp-spec.txt of QEMU 7.2.
//   {"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, …}, "capabilities": ["oob"]}}
//   {"return": {}, "id": 1}
//   {"error": {"class": "GenericError", "desc": "…"}, "id": 2}
//   {"timestamp": {"seconds": 1795357415, "microseconds": 866704}, "event": "RESUME"}
import type { Duplex } from "node:stream";
import { plainLines } from "./console-tail.ts";

/** Longer lines come from no VMM in its right mind: the longest answers asked for have a few KiB. */
const LINE_BYTES_MAX = 64 << 10;

/** What came of a command. Why it failed is text for people, bounded, without control characters. */
export type QmpAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly why: string };

export type QmpObject = Readonly<Record<string, unknown>>;

export interface QmpListener {
  /** The VMM has greeted and takes commands. */
  onReady(): void;
  onEvent(name: string, data: QmpObject): void;
  /** The VMM broke the protocol: nothing more is read from it. */
  onFault(why: string): void;
}

export interface Qmp {
  /**
   * Asks the VMM for something. Never rejects.
   * @param limitMs  how long the answer may take
   */
  execute(command: string, options: { args?: QmpObject; limitMs: number }): Promise<QmpAnswer>;
  /** False after a fault, and after the VMM's end. */
  isOpen(): boolean;
}

/** Listens on a stream from the VMM's start on, and negotiates when it greets. */
export function openQmp(stream: Duplex, listener: QmpListener): Qmp {
  const waiting = new Map<number, (answer: QmpAnswer) => void>();
  let lastId = 0;
  let hasGreeted = false;
  let closedBecause: string | undefined;
  let rest: Buffer = Buffer.alloc(0);

  function close(why: string): void {
    if (closedBecause !== undefined) return;
    closedBecause = why;
    for (const settle of waiting.values()) settle({ ok: false, why });
    stream.destroy();
  }

  function fault(why: string): void {
    close(why);
    listener.onFault(why);
  }

  function execute(
    command: string,
    { args, limitMs }: { args?: QmpObject; limitMs?: number },
  ): Promise<QmpAnswer> {
    return new Promise((resolve) => {
      if (closedBecause !== undefined) return resolve({ ok: false, why: closedBecause });
      const id = ++lastId;
      const settle = (answer: QmpAnswer) => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(answer);
      };
      const onLimit = () => {
        // The late answer will find nobody: it is forgotten rather than called wrong.
        settle({ ok: false, why: `no answer to ${command} within ${limitMs} ms` });
        waiting.set(id, () => waiting.delete(id));
      };
      const timer = limitMs === undefined ? undefined : setTimeout(onLimit, limitMs);
      waiting.set(id, settle);
      const args_ = args === undefined ? {} : { arguments: args };
      stream.write(`${JSON.stringify({ execute: command, ...args_, id })}\n`);
    });
  }

  async function negotiate(): Promise<void> {
    // No limit of its own: how long a VMM may take until it is ready is for the caller to say.
    const answer = await execute("qmp_capabilities", {});
    if (answer.ok) listener.onReady();
    else if (closedBecause === undefined) fault(`QMP refused to begin: ${answer.why}`);
  }

  /** @returns what is wrong with a line, or nothing */
  function take(line: Buffer): string | undefined {
    const message = parseObject(line);
    if (message === undefined) return "QMP sent what is not a JSON object";
    if (!hasGreeted) {
      if (!("QMP" in message)) return "QMP did not begin with a greeting";
      hasGreeted = true;
      void negotiate();
      return;
    }
    if (typeof message.event === "string") {
      listener.onEvent(message.event, isObject(message.data) ? message.data : {});
      return;
    }
    const settle = typeof message.id === "number" ? waiting.get(message.id) : undefined;
    if (settle === undefined) return "QMP answered what nobody asked";
    settle(answerOf(message));
  }

  stream.on("data", (chunk: Buffer) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf("\n"); end !== -1; end = bytes.indexOf("\n")) {
      if (end > LINE_BYTES_MAX) break;
      const line = bytes.subarray(0, end);
      const wrong = take(line);
      if (wrong !== undefined) return fault(`${wrong}: ${excerpt(line)}`);
      if (closedBecause !== undefined) return;
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > LINE_BYTES_MAX) {
      return fault(`QMP sent a line of more than ${LINE_BYTES_MAX} bytes`);
    }
    rest = Buffer.from(bytes);
  });
  stream.on("error", (error) => close(`QMP is closed: ${error.message}`));
  stream.on("close", () => close("QMP is closed"));

  return { execute, isOpen: () => closedBecause === undefined };
}

function answerOf(message: QmpObject): QmpAnswer {
  if ("return" in message) return { ok: true, value: message.return };
  const description = isObject(message.error) ? message.error.desc : undefined;
  const why = typeof description === "string" ? plainLines(description)[0] : undefined;
  return { ok: false, why: why ?? "the VMM gave no reason" };
}

function parseObject(line: Buffer): QmpObject | undefined {
  try {
    const value: unknown = JSON.parse(line.toString("utf8"));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // The caller tells of it.
  }
}

/** Is it a JSON object? */
export function isObject(value: unknown): value is QmpObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function excerpt(line: Buffer): string {
  return plainLines(line.toString("utf8", 0, 80))[0] ?? "";
}
