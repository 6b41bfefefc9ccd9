import { release } from "node:os";
import { getSystemErrorName } from "node:util";
import { BootstormError, EXIT } from "../../core/error.ts";

/** How a worker failed. */
export type Failure =
  | { readonly how: "call"; readonly call: string; readonly errno: number }
  | { readonly how: "signal"; readonly signal: string }
  | { readonly how: "exit"; readonly code: number }
  | { readonly how: "start"; readonly why: string }
  | { readonly how: "silence"; readonly limitMs: number };

/**
 * What a failure means for the person who asked for pressure.
 * @param memlockBytes  the worker's limit; undefined while it is not known
 */
export function failureError(failure: Failure, memlockBytes: number | undefined): BootstormError {
  switch (failure.how) {
    case "call":
      return callError(failure.call, getSystemErrorName(-failure.errno), memlockBytes);
    case "signal":
      if (failure.signal === "SIGBUS") {
        return memlockTooLow("the kernel ended a process with SIGBUS at a page", memlockBytes);
      }
      return workerError("WORKER_KILLED", `it was ended by ${failure.signal}, not by us`, [
        "was it the out-of-memory killer? dmesg | tail",
      ]);
    case "exit":
      return workerError("WORKER_ENDED", `it ended with status ${failure.code}`, []);
    case "start":
      return workerError("WORKER_NOT_STARTED", failure.why, []);
    case "silence":
      return workerError("WORKER_SILENT", `it did not answer within ${failure.limitMs} ms`, [
        "is its CPU taken by a real-time task, or is the process stopped?",
      ]);
  }
}

function callError(call: string, errno: string, memlockBytes: number | undefined): BootstormError {
  if (call === "memfd_secret" && ["ENOSYS", "EPERM", "EACCES"].includes(errno)) {
    return noMemfdSecret(errno, release());
  }
  if (call === "mmap" && errno === "EAGAIN") {
    return memlockTooLow("mmap answered EAGAIN", memlockBytes);
  }
  if (errno === "ENOMEM") {
    return new BootstormError("OUT_OF_MEMORY", "cannot get the memory for the pressure load", {
      why: `${call} answered ENOMEM`,
      remedies: ["ask for fewer pages or fewer processes"],
      exit: EXIT.host,
    });
  }
  return workerError("WORKER_CALL_FAILED", `${call} answered ${errno}`, []);
}

/** @param why  what the kernel did, as the first half of a sentence */
export function memlockTooLow(why: string, memlockBytes: number | undefined): BootstormError {
  const limit = memlockBytes === undefined ? "" : `: RLIMIT_MEMLOCK is ${memlockBytes / 1024} KiB`;
  return new BootstormError("MEMLOCK_TOO_LOW", "cannot lock enough memory for secret pages", {
    why: `${why}${limit}, counted for a process or, on newer kernels, for all of a user`,
    remedies: [
      "raise the limit in this shell: ulimit -l unlimited (root, or LimitMEMLOCK= of the unit)",
      "ask for fewer pages or fewer processes",
    ],
    exit: EXIT.host,
  });
}

function workerError(code: string, why: string, remedies: readonly string[]): BootstormError {
  return new BootstormError(code, "a pressure process failed", { why, remedies, exit: EXIT.host });
}

/**
 * Why memfd_secret(2) does not work here.
 * Source: mm/secretmem.c since 5.14; `secretmem.enable` became true by default in 6.5.
 * @param kernel  as `uname -r`, such as `6.1.0-49-cloud-amd64`
 */
export function noMemfdSecret(errno: string, kernel: string): BootstormError {
  const [major = 0, minor = 0] = kernel.split(/[^0-9]+/).map(Number);
  const before = (thatMajor: number, thatMinor: number) =>
    major < thatMajor || (major === thatMajor && minor < thatMinor);
  const [why, remedy] =
    errno !== "ENOSYS"
      ? [
          `memfd_secret answered ${errno}: a seccomp filter or security module forbids it`,
          "run outside the container, or allow memfd_secret in its seccomp profile",
        ]
      : before(5, 14)
        ? [`kernel ${kernel} is older than memfd_secret`, "use a kernel of 5.14 or newer"]
        : before(6, 5)
          ? [
              `kernel ${kernel} has memfd_secret off unless it is asked for at boot`,
              "add secretmem.enable=1 to the kernel command line and reboot",
            ]
          : [
              `kernel ${kernel} was built without CONFIG_SECRETMEM, or booted with secretmem.enable=0`,
              "look for it: grep SECRETMEM /boot/config-$(uname -r); cat /proc/cmdline",
            ];
  return new BootstormError("NO_MEMFD_SECRET", "this kernel gives no secret memory", {
    why,
    remedies: [remedy],
    exit: EXIT.host,
  });
}
