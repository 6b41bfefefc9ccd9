// The flags of `permit`, and what they come to.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { startTicksOf } from "../../../host/exec/start-time.ts";
import type { WhenUnavailable } from "../../../host/governor/answer.ts";
import type { Holder, PermitWish } from "../../../host/governor/client.ts";
import type { GovernorAddress } from "../../../host/governor/request.ts";
import { stateFolder } from "../../../host/qemu/leftovers.ts";
import { readToken } from "../../governor/listen.ts";
import { fileName, numberWithin, oneOf, wholeNumber } from "../arguments.ts";
import { type ReadyHow, readyHow } from "./ready.ts";

export interface PermitFlags {
  readonly vm?: string;
  readonly key?: string;
  readonly tenant: number;
  readonly priority: number;
  readonly memory?: number;
  readonly deadline?: number;
  readonly ready: ReadyHow;
  readonly bootLimit: number;
  readonly ask?: true;
  readonly renew?: true;
  readonly release?: true;
  readonly holder?: number;
  readonly lease?: number;
  readonly failed?: true;
  readonly socket?: string;
  readonly url?: URL;
  readonly tokenFile?: string;
  readonly whenUnavailable: WhenUnavailable;
  readonly patience: number;
}

/** Of names in permits (core/scenario/govern-request.ts). */
const NAME_MAX = 128;
const DAY_S = 86_400;

export function addPermitFlags(command: Command): Command {
  return command
    .option("--vm <name>", "name of the VM (default: the command's, or the key)")
    .option("--key <key>", "names the permit, once (default: a random one)", keyText)
    .option("--tenant <n>", "whose VM it is", wholeNumber(0, 1_000_000), 0)
    .option("--priority <n>", "-1000 to 1000; higher goes first", priorityNumber, 0)
    .option("--memory <MiB>", "of the VM (default: not told)", wholeNumber(1, 67_108_864))
    .option("--deadline <s>", "how long to wait (default: for ever)", numberWithin(0.001, DAY_S))
    .addOption(
      new Option(
        "--ready <how>",
        "when the VM is ready: exit, after:SECONDS, console:TEXT or file:PATH",
      )
        .argParser(readyHow)
        .default({ kind: "after", seconds: 30 }, "after:30"),
    )
    .option("--boot-limit <s>", "a VM not ready by then has failed", numberWithin(0.1, DAY_S), 300)
    .addOption(
      new Option("--ask", "run nothing: wait for the permit of --key, and end").conflicts([
        "renew",
        "release",
      ]),
    )
    .addOption(
      new Option("--renew", "the lease of --key begins anew; --holder takes over").conflicts([
        "ask",
        "release",
      ]),
    )
    .addOption(new Option("--release", "the boot of --key is over").conflicts(["ask", "renew"]))
    .option(
      "--holder <pid>",
      "process the permit ends with (default: none)",
      wholeNumber(1, 2 ** 22),
    )
    .option("--lease <s>", "without renewal (default: the governor's)", numberWithin(0.001, DAY_S))
    .option("--failed", "with --release: the VM never got ready")
    .option("--socket <file>", "the governor's (default: govern.sock in the run folder)", fileName)
    .addOption(
      new Option("--url <url>", "the governor's TCP listener, http://HOST:PORT (default: none)")
        .argParser(httpUrl)
        .conflicts("socket"),
    )
    .option("--token-file <file>", "for --url: file with the token (default: none)", fileName)
    .option(
      "--when-unavailable <what>",
      "open or closed: start without a decision, or not, unless the governor said",
      oneOf("open", "closed"),
      "closed",
    )
    .option(
      "--patience <s>",
      "how long nobody may answer until that is no decision",
      numberWithin(0, DAY_S),
      5,
    );
}

/** @throws BootstormError as `readToken`; WRONG_USAGE */
export async function addressOf({ socket, url, tokenFile }: PermitFlags): Promise<GovernorAddress> {
  if (url === undefined && tokenFile === undefined) {
    return { kind: "socket", path: socket ?? join(stateFolder(), "govern.sock") };
  }
  if (url !== undefined && tokenFile !== undefined) {
    return { kind: "tcp", url, token: await readToken(tokenFile) };
  }
  throw wrongUsage("--url and --token-file go together", "a TCP listener wants its token");
}

/** @param fallback  the name of the VM where none was given */
export function wishOf(flags: PermitFlags, fallback: string): PermitWish {
  const { key = randomUUID(), vm = fallback, tenant, priority, memory, lease } = flags;
  return {
    key,
    vm: nameOf(vm),
    tenant,
    priority,
    ...(memory === undefined ? {} : { memoryMiB: memory }),
    ...(lease === undefined ? {} : { leaseMs: Math.round(lease * 1000) }),
    ...holderOf(flags),
  };
}

/** @throws BootstormError HOLDER_GONE */
export function holderOf({ holder }: PermitFlags): { readonly holder?: Holder } {
  if (holder === undefined) return {};
  const startTicks = startTicksOf(holder);
  if (startTicks !== undefined) return { holder: { pid: holder, startTicks } };
  throw new BootstormError("HOLDER_GONE", `--holder: there is no process ${holder}`, {
    why: "the permit would end with it, and it has ended",
    remedies: ["name a process that lives as long as the VM, or its launcher"],
    exit: EXIT.host,
  });
}

/** A name may be anything; what no name in a permit can have is replaced. */
function nameOf(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "?").slice(0, NAME_MAX) || "?";
}

function keyText(text: string): string {
  if (/^[^\p{Cc}]{1,128}$/u.test(text)) return text;
  throw new InvalidArgumentError(`a key has 1 to ${NAME_MAX} characters, none of them control.`);
}

function priorityNumber(text: string): number {
  const value = Number(text);
  if (/^-?\d+$/.test(text) && Math.abs(value) <= 1000) return value;
  throw new InvalidArgumentError(`'${text}' is not a whole number from -1000 to 1000.`);
}

function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" && url.pathname === "/") return url;
  throw new InvalidArgumentError(`'${text}' is not http://HOST:PORT.`);
}

export function wrongUsage(message: string, why: string): BootstormError {
  return new BootstormError("WRONG_USAGE", message, {
    why,
    remedies: ["see what is possible: bootstorm permit --help"],
    exit: EXIT.usage,
  });
}
