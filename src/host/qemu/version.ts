import { BootstormError, EXIT } from "../../core/error.ts";
import { atLeast, versionOf } from "../../core/facts/kernel-version.ts";
import { runProgram } from "../exec/run.ts";

/** QEMU, as it is installed here. */
export interface Qemu {
  readonly program: string;
  /** `7.2.22`. */
  readonly version: string;
}

const PROGRAM = "qemu-system-x86_64";
const VERSION_LIMIT_MS = 10_000;

const INSTALL = "apt-get install qemu-system-x86 (Debian, Ubuntu), dnf install qemu-kvm (Fedora)";

/**
 * @param options.path  where to look for programs, as in the environment variable PATH
 * @throws BootstormError NO_QEMU, QEMU_TOO_OLD
 */
export async function findQemu(options: { signal: AbortSignal; path?: string }): Promise<Qemu> {
  const env = { ...process.env, PATH: options.path ?? process.env.PATH };
  const limits = { limitMs: VERSION_LIMIT_MS, signal: options.signal, env };
  const ended = await runProgram(PROGRAM, ["--version"], limits);
  options.signal.throwIfAborted();
  // "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)"
  const said = /version (\d+\.\d+[\w.-]*)/.exec(ended.stdout)?.[1];
  const version = said === undefined ? undefined : versionOf(said);
  if (said === undefined || version === undefined) {
    const words = ended.stderr.trim().split("\n")[0] || `status ${ended.code ?? ended.status}`;
    throw new BootstormError("NO_QEMU", "there is no QEMU to boot VMs with", {
      why:
        ended.status === "missing"
          ? `${PROGRAM} is not in PATH`
          : `${PROGRAM} --version does not tell its version: ${words}`,
      remedies: [INSTALL, "drive another VMM: guests[].machine.kind: command"],
      exit: EXIT.host,
    });
  }
  // 6.0 is the first with `-machine confidential-guest-support=`, and microvm could turn off ACPI
  // before.
  if (!atLeast(version, 6, 0)) throw tooOld(said, "6.0");
  return { program: PROGRAM, version: said };
}

function tooOld(version: string, least: string): BootstormError {
  return new BootstormError("QEMU_TOO_OLD", `QEMU ${version} is too old, at least ${least}`, {
    why: "the machines that are booted need options it does not have",
    remedies: [`install QEMU ${least} or later and put it first in PATH`],
    exit: EXIT.host,
  });
}
