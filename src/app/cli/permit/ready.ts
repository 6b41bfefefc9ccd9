// When is the VM of a command ready? Only the guest knows; these are the ways in which it can tell.
import { statSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { createConsoleScan } from "../../../host/qemu/console-scan.ts";
import type { CommandEnd, Launch } from "./launch.ts";

export type ReadyHow =
  /** The command ends with status 0. */
  | { readonly kind: "exit" }
  /** Nobody tells: so long after the start, or when the command ends. */
  | { readonly kind: "after"; readonly seconds: number }
  /** This text comes on its standard output. */
  | { readonly kind: "console"; readonly text: string }
  /** This file appears, or is made anew. */
  | { readonly kind: "file"; readonly path: string };

/** What became of a boot. `unknown`: nobody told. */
export type Boot = "ready" | "failed" | "unknown";

const CONSOLE_TEXT_BYTES_MAX = 256;
const SECONDS_MAX = 86_400;
const LOOK_EVERY_MS = 100;

/** A commander parser for `exit`, `after:30`, `console:login:`, `file:/run/vm.ready`. */
export function readyHow(text: string): ReadyHow {
  const [, kind, rest = ""] = /^(exit|after|console|file)(?::(.+))?$/s.exec(text) ?? [];
  const seconds = Number(rest);
  switch (kind) {
    case "exit":
      if (rest === "") return { kind };
      break;
    case "after":
      if (/^\d+(\.\d+)?$/.test(rest) && seconds <= SECONDS_MAX) return { kind, seconds };
      break;
    case "console":
      if (rest !== "" && Buffer.byteLength(rest) <= CONSOLE_TEXT_BYTES_MAX) {
        return { kind, text: rest };
      }
      break;
    case "file":
      if (rest !== "") return { kind, path: rest };
      break;
  }
  throw new InvalidArgumentError(
    `'${text}' is none of exit, after:SECONDS, console:TEXT (${CONSOLE_TEXT_BYTES_MAX} bytes at most), file:PATH.`,
  );
}

/**
 * Watches a command that is about to begin until it is known what became of its boot.
 * @param limitMs  a boot that has not told by then has failed
 */
export function watchBoot(
  how: ReadyHow,
  { output, ended }: Launch,
  limitMs: number,
): Promise<Boot> {
  return new Promise((resolve) => {
    const timers: NodeJS.Timeout[] = [];
    const settle = (boot: Boot) => {
      for (const timer of timers) clearInterval(timer);
      resolve(boot);
    };
    void ended.then((end) => settle(atItsEnd(how, end)));
    if (how.kind === "after") {
      timers.push(setTimeout(settle, how.seconds * 1000, "unknown"));
      return;
    }
    timers.push(setTimeout(settle, limitMs, "failed"));
    if (how.kind === "console" && output !== undefined) {
      const scan = createConsoleScan({ ready: how.text });
      output.on("data", (piece: Buffer) => {
        const { signs, panic } = scan(piece);
        if (signs.some(({ milestone }) => milestone === "ready")) settle("ready");
        else if (panic !== undefined) settle("failed");
      });
    }
    if (how.kind === "file") {
      const before = fileNow(how.path);
      const look = () => {
        const now = fileNow(how.path);
        if (now !== undefined && now !== before) settle("ready");
      };
      timers.push(setInterval(look, LOOK_EVERY_MS));
    }
  });
}

/** Of a command that ends before anybody has told. */
function atItsEnd({ kind }: ReadyHow, end: CommandEnd): Boot {
  if (end.status !== 0) return "failed";
  switch (kind) {
    case "exit":
      return "ready";
    case "after":
      return "unknown";
    case "console":
    case "file":
      return "failed";
  }
}

/** Tells a file from one that was there before under the same name. */
function fileNow(path: string): string | undefined {
  try {
    const { dev, ino, ctimeNs } = statSync(path, { bigint: true });
    return `${dev} ${ino} ${ctimeNs}`;
  } catch {
    return undefined;
  }
}
