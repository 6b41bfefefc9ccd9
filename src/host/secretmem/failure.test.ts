import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { EXIT } from "../../core/error.ts";
import { type Failure, failureError, noMemfdSecret } from "./failure.ts";

const { EAGAIN, ENOMEM, ENOSYS, EPERM, EINVAL } = constants.errno;
const failedCall = (call: string, errno: number): Failure => ({ how: "call", call, errno });

describe("every way a worker can fail says what, why and what to do", () => {
  test.each<{ failure: Failure; code: string; why: RegExp }>([
    { failure: failedCall("mmap", EAGAIN), code: "MEMLOCK_TOO_LOW", why: /EAGAIN.* is 8192 KiB/ },
    { failure: { how: "signal", signal: "SIGBUS" }, code: "MEMLOCK_TOO_LOW", why: /SIGBUS/ },
    { failure: failedCall("memfd_secret", ENOSYS), code: "NO_MEMFD_SECRET", why: /kernel/ },
    { failure: failedCall("memfd_secret", EPERM), code: "NO_MEMFD_SECRET", why: /seccomp/ },
    { failure: failedCall("mmap", ENOMEM), code: "OUT_OF_MEMORY", why: /mmap answered ENOMEM/ },
    {
      failure: failedCall("sched_setaffinity", EINVAL),
      code: "WORKER_CALL_FAILED",
      why: /sched_setaffinity answered EINVAL/,
    },
    { failure: { how: "signal", signal: "SIGKILL" }, code: "WORKER_KILLED", why: /SIGKILL/ },
    { failure: { how: "exit", code: 1 }, code: "WORKER_ENDED", why: /status 1/ },
    { failure: { how: "start", why: "EMFILE" }, code: "WORKER_NOT_STARTED", why: /EMFILE/ },
    { failure: { how: "silence", limitMs: 50 }, code: "WORKER_SILENT", why: /50 ms/ },
  ])("$failure: $code", ({ failure, code, why }) => {
    const error = failureError(failure, 8 << 20);
    expect(error.code).toBe(code);
    expect(error.why).toMatch(why);
    expect(error.exit).toBe(EXIT.host);
  });

  test("a limit not yet known is left out, not printed as 0", () => {
    expect(failureError(failedCall("mmap", EAGAIN), undefined).why).not.toMatch(
      /RLIMIT_MEMLOCK is/,
    );
  });
});

describe("no memfd_secret: the remedy fits the kernel", () => {
  test.each([
    { kernel: "5.10.0-28-amd64", remedy: /5\.14 or newer/ },
    { kernel: "5.13.0", remedy: /5\.14 or newer/ },
    { kernel: "5.14.0-427.el9.x86_64", remedy: /secretmem\.enable=1/ },
    { kernel: "6.1.0-49-cloud-amd64", remedy: /secretmem\.enable=1/ },
    { kernel: "6.5.0", remedy: /SECRETMEM/ },
    { kernel: "7.0-rc1", remedy: /SECRETMEM/ },
  ])("$kernel", ({ kernel, remedy }) => {
    expect(noMemfdSecret("ENOSYS", kernel).remedies.join()).toMatch(remedy);
  });
});
