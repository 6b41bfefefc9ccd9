import { spawn } from "node:child_process";
import type { RunSlices } from "../../core/govern/quota.ts";
import { cgroupError } from "./failure.ts";
import type { TakenCgroup } from "./take.ts";

/**
 * For each line with two numbers of seconds: lets the group run, pauses it, and tells of the end. It
 * is a process of its own, so that each pause ends in time even if we are killed or hang meanwhile;
 * and what ends us, such as a service manager, does not end it in the middle of one.
 */
const PAUSER = `
trap '' HUP INT TERM
while read -r run pause; do
  sleep "$run"
  echo 1 >"$1" || exit 1
  sleep "$pause"
  echo 0 >"$1" || exit 1
  echo
done
`;

/** The next line is there when it has done one. When we are gone it does two more. */
const AHEAD = 2;

export interface Pauses {
  /** From the third period on. */
  set(slices: RunSlices): void;
  /** Lets it go on for good. Safe to call again. */
  stop(): void;
}

/**
 * Freezes a group for a part of each period, all its threads at once. Threads stop where they return
 * to their program, so none stops with a lock of the kernel in its hands.
 * @param failed  the group could not be frozen, mostly because it is gone; the pauses have ended, and
 * `taken` is to be released
 * @throws BootstormError CGROUP_…
 */
export function startPauses(
  taken: TakenCgroup,
  slices: RunSlices,
  failed: (error: unknown) => void,
): Pauses {
  let now = slices;
  // Keeps what it was before anything is frozen.
  taken.setFrozen(false);
  const file = "cgroup.freeze";
  const pauser = spawn("/bin/sh", ["-c", PAUSER, "sh", `${taken.group.folder}/${file}`], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  pauser.once("error", lose);
  pauser.once("close", () => lose(Object.assign(new Error("no group"), { code: "ENOENT" })));
  pauser.stdin.on("error", () => {}); // Its end is told by itself.
  pauser.stdout.on("data", order);
  for (let i = 0; i < AHEAD; i += 1) order();

  function order(): void {
    pauser.stdin.write(`${now.runNs / 1e9} ${now.pauseNs / 1e9}\n`);
  }

  function lose(error: Error): void {
    end();
    failed(cgroupError(taken.group.folder, file, error));
  }

  // The pauser is not killed: in the middle of a write it would leave the group frozen after us.
  function end(): void {
    pauser.off("error", lose).removeAllListeners("close");
    pauser.stdout.off("data", order);
    pauser.stdin.end();
  }

  return {
    set(next) {
      now = next;
    },
    stop() {
      end();
      taken.restore("frozen");
    },
  };
}
