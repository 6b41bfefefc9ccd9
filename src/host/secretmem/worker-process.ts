import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Failure, failureError } from "./failure.ts";
import type { Order, Reply, WorkerBirth } from "./protocol.ts";

/** One pressure process, as its crew sees it. */
export interface WorkerProcess {
  readonly pid: number;
  readonly cpu: number;
  /** The RLIMIT_MEMLOCK it got for itself; Infinity when there is none. */
  readonly memlockBytes: number;
  /**
   * Gives one order and waits for the reply, within the limit.
   * @throws BootstormError when the order failed, or the worker ended or is silent
   */
  ask(order: Order): Promise<Reply>;
}

/** A worker from its first moment on. */
export interface StartedWorker {
  /** Settles when the worker is pinned and waits for orders. */
  readonly ready: Promise<WorkerProcess>;
  /** Settles when the process is gone and all its memory is given back. Never rejects. */
  readonly ended: Promise<void>;
  kill(): void;
}

// Three folders up is the package, from src/host/secretmem (tests) and from dist/host/secretmem
// alike. The worker is always the compiled one: Node 20 cannot run TypeScript.
const WORKER = fileURLToPath(new URL("../../../dist/host/secretmem/worker.js", import.meta.url));

/** Starts a worker; it can be killed before it is ready. */
export function forkWorker(birth: WorkerBirth, answerLimitMs: number): StartedWorker {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = fork(WORKER, [JSON.stringify(birth)], {
    execArgv: [],
    env,
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let memlockBytes: number | undefined;
  let failure: Failure | undefined;
  let waiting: { resolve(reply: Reply): void; reject(error: Error): void } | undefined;

  function fail(reason: Failure): void {
    failure ??= reason;
    waiting?.reject(failureError(failure, memlockBytes));
  }

  child.on("message", (reply: Reply) => {
    if (reply.said === "ready") memlockBytes = reply.memlockBytes;
    if (reply.said === "failed") fail({ how: "call", call: reply.call, errno: reply.errno });
    else waiting?.resolve(reply);
  });
  const ended = new Promise<void>((resolve) => {
    child.on("exit", (code, signal) => {
      fail(signal === null ? { how: "exit", code: code ?? 0 } : { how: "signal", signal });
      resolve();
    });
    child.on("error", (error) => {
      fail({ how: "start", why: error.message });
      // A process that never was has no exit to wait for.
      if (child.pid === undefined) resolve();
    });
  });

  function reply(): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      if (failure !== undefined) return reject(failureError(failure, memlockBytes));
      const timer = setTimeout(
        () => fail({ how: "silence", limitMs: answerLimitMs }),
        answerLimitMs,
      );
      const settle = () => {
        clearTimeout(timer);
        waiting = undefined;
      };
      waiting = {
        resolve(value) {
          settle();
          resolve(value);
        },
        reject(error) {
          settle();
          reject(error);
        },
      };
    });
  }

  function ask(order: Order): Promise<Reply> {
    const answer = reply();
    // An order that cannot be sent means that the worker is gone, which `exit` reports.
    child.send(order, () => {});
    return answer;
  }

  const ready = reply().then(
    (): WorkerProcess => ({
      pid: child.pid!,
      cpu: birth.cpu,
      memlockBytes: memlockBytes!,
      ask,
    }),
  );
  return { ready, ended, kill: () => void child.kill("SIGKILL") };
}
