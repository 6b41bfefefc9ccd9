// A launcher under a permit of the governor. Rooms it passes: host/governor (the client), host/exec.
import { constants } from "node:os";
import { basename } from "node:path";
import type { Command } from "commander";
import { EXIT } from "../../../core/error.ts";
import { formatNs } from "../../../core/units.ts";
import { type PermitWish, releasePermit, renewPermit } from "../../../host/governor/client.ts";
import { requireWritable } from "../../../host/store/atomic.ts";
import { decide } from "../permit/decide.ts";
import {
  addPermitFlags,
  addressOf,
  type PermitFlags,
  wishOf,
  wrongUsage,
} from "../permit/flags.ts";
import type { CommandEnd } from "../permit/launch.ts";
import { runWithPermit } from "../permit/run.ts";
import { createProgress } from "../progress.ts";
import {
  type Answer,
  printAnswer,
  runCommand,
  type Session,
  STDOUT,
  withCommonFlags,
} from "../run.ts";

export function define(command: Command, trailing: readonly string[]): void {
  withCommonFlags(
    addPermitFlags(
      command
        .usage(
          "[options] -- COMMAND …\n       bootstorm permit --key KEY --ask | --renew | --release",
        )
        .description(
          "Wait for a permit of bootstorm govern, start a VM, and give the permit back when the VM " +
            "is ready. The command has our terminal, and its exit status is ours.",
        ),
    ),
  )
    .addHelpText(
      "after",
      `
Examples:
  bootstorm permit --ready exit -- virsh start web1
  bootstorm permit --ready console:login: -- qemu-system-x86_64 -nographic disk.img
  bootstorm permit --key web1-4711 --ask --lease 120   without a command: wait, and …
  bootstorm permit --key web1-4711 --release           … when the VM is ready`,
    )
    .action((flags: PermitFlags) => {
      if (flags.ask || flags.renew || flags.release) {
        return runCommand(command, (session) => withoutCommand(session, flags, trailing));
      }
      return withCommand(command, flags, trailing);
    });
}

/** The command's standard output and signals are its own, so this is not `runCommand`. */
async function withCommand(
  command: Command,
  flags: PermitFlags,
  words: readonly string[],
): Promise<void> {
  const [program] = words;
  if (program === undefined) {
    throw wrongUsage("there is nothing to run", "a command follows after --");
  }
  if (flags.holder !== undefined || flags.failed) {
    throw wrongUsage("--holder and --failed are for --ask, --renew and --release", HELD);
  }
  const { json, quiet } = command.opts<{ json?: string; quiet?: true }>();
  if (json !== undefined && json !== STDOUT) await requireWritable(json);
  const asking = await askingOf(flags, basename(program));
  const result = await runWithPermit({
    command: words,
    asking,
    ready: flags.ready,
    bootLimitMs: flags.bootLimit * 1000,
    progress: createProgress({ quiet: quiet === true }),
  });
  if (json !== undefined) {
    const input = { command: words, ...inputOf(flags, asking.wish) };
    await printAnswer("permit", { input, result, caveats: [], text: "" }, json);
  }
  endAs(result.command);
}

const HELD = "a command's own process holds its permit";

async function withoutCommand(
  session: Session,
  flags: PermitFlags,
  words: readonly string[],
): Promise<Answer> {
  const { key } = flags;
  if (key === undefined) throw wrongUsage("--key is missing", "it says which permit is meant");
  if (words.length > 0) {
    throw wrongUsage("there is a command after --", "--ask, --renew and --release run none");
  }
  const asking = await askingOf(flags, key);
  const { address, options, wish } = asking;
  const verb = flags.ask ? "ask" : flags.renew ? "renew" : "release";
  const input = { verb, ...inputOf(flags, wish) };
  const limitMs = options.patienceMs;
  if (flags.renew) {
    const { holder, leaseMs } = wish;
    const change = {
      ...(holder === undefined ? {} : { holder }),
      ...(leaseMs === undefined ? {} : { leaseMs }),
    };
    const renewed = await renewPermit(address, { key }, change, limitMs);
    return answer(input, { renewed }, renewed, renewed ? "renewed" : "not in force");
  }
  if (flags.release) {
    const outcome = flags.failed ? "failed" : "ready";
    const released = await releasePermit(address, { key }, { outcome }, limitMs);
    return answer(input, { released }, released, released ? "released" : "not known there");
  }
  const { signal, progress } = session;
  const go = await decide({ ...asking, signal, progress });
  if (go.decision === "open") {
    return answer(input, { decision: go.decision, why: go.why }, true, "open: nobody decided");
  }
  const { id, waitedMs, why } = go.permit;
  const result = { decision: go.decision, waitedMs, permit: { id, key } };
  return answer(input, result, true, `granted after ${formatNs(waitedMs * 1e6)}: ${why}`);
}

function answer(input: unknown, result: unknown, isGood: boolean, words: string): Answer {
  const exit = isGood ? EXIT.done : EXIT.badNews;
  return { input, result, caveats: [], text: `${words}\n`, exit };
}

async function askingOf(flags: PermitFlags, vm: string) {
  const { deadline, patience, whenUnavailable } = flags;
  return {
    address: await addressOf(flags),
    wish: wishOf(flags, vm),
    whenUnavailable,
    options: {
      ...(deadline === undefined ? {} : { deadlineMs: Math.ceil(deadline * 1000) }),
      patienceMs: patience * 1000,
    },
  };
}

function inputOf(
  { ready, bootLimit, whenUnavailable, patience, ...flags }: PermitFlags,
  wish: PermitWish,
) {
  const { deadline, url, socket } = flags;
  return {
    ...wish,
    ...(deadline === undefined ? {} : { deadlineS: deadline }),
    ready,
    bootLimitS: bootLimit,
    ...(socket === undefined ? {} : { socket }),
    ...(url === undefined ? {} : { url: url.href }),
    whenUnavailable,
    patienceS: patience,
  };
}

/** As the command ended: with its status, or by its signal. */
function endAs(end: CommandEnd): void {
  if (end.signal === undefined) {
    process.exitCode = end.status;
    return;
  }
  process.exitCode = 128 + constants.signals[end.signal];
  if (LEAVES_A_CORE.has(end.signal)) return;
  process.removeAllListeners(end.signal);
  process.kill(process.pid, end.signal);
}

/** As a shell does, we tell of these by our status: the core that is of use is the command's. */
const LEAVES_A_CORE: ReadonlySet<string> = new Set([
  "SIGQUIT",
  "SIGILL",
  "SIGTRAP",
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGSEGV",
  "SIGSYS",
  "SIGXCPU",
  "SIGXFSZ",
]);
