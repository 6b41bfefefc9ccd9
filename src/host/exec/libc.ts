import { createRequire } from "node:module";
import { BootstormError, EXIT } from "../../core/error.ts";

/** System call numbers, the same on x86-64, arm64 and riscv64, for calls libc has no function for. */
export const SYSCALL = { memfdSecret: 447 } as const;

/** The functions of the C library that we call. A failed call returns -1 and sets `errno`. */
export interface Libc {
  syscall(number: number, argument: number): number;
  memfdCreate(name: string, flags: number): number;
  ftruncate(fd: number, bytes: number): number;
  /** @returns the address, or `MAP_FAILED` */
  mmap(
    address: bigint,
    bytes: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): bigint;
  munmap(address: bigint, bytes: number): number;
  madvise(address: bigint, bytes: number, advice: number): number;
  close(fd: number): number;
  memset(address: bigint, value: number, bytes: number): void;
  prctl(option: number, argument: number): number;
  /** @param softAndHard  two 64-bit integers: `struct rlimit` */
  setrlimit(resource: number, softAndHard: BigUint64Array): number;
  /** @param tid  0 is the calling thread */
  schedSetaffinity(tid: number, maskBytes: number, mask: Uint8Array): number;
  ioctl(fd: number, request: number, argument: bigint): number;
  /** Of the call before, on this thread. */
  errno(): number;
}

export const MAP_FAILED = 0xffffffffffffffffn;

let loaded: Libc | undefined;

/**
 * Loads the C library through koffi, an optional package with binaries of its own.
 * @throws BootstormError NO_KOFFI when the package is not installed or has no binary for this CPU
 */
export function loadLibc(): Libc {
  loaded ??= bind();
  return loaded;
}

function bind(): Libc {
  try {
    const koffi = createRequire(import.meta.url)("koffi");
    // null is this process, whose C library is loaded already, be it glibc or musl.
    const library = koffi.load(null);
    const mmap = library.func(
      "uintptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, long offset)",
    );
    return {
      syscall: library.func("long syscall(long number, long argument)"),
      memfdCreate: library.func("int memfd_create(const char *name, unsigned int flags)"),
      ftruncate: library.func("int ftruncate(int fd, long length)"),
      // koffi answers with a number where it is exact, and a bigint only above 2^53 (MAP_FAILED).
      mmap: (...call) => BigInt(mmap(...call)),
      munmap: library.func("int munmap(uintptr_t address, size_t length)"),
      madvise: library.func("int madvise(uintptr_t address, size_t length, int advice)"),
      close: library.func("int close(int fd)"),
      memset: library.func("void memset(uintptr_t address, int value, size_t length)"),
      prctl: library.func("int prctl(int option, unsigned long argument)"),
      setrlimit: library.func("int setrlimit(int resource, const void *limits)"),
      schedSetaffinity: library.func(
        "int sched_setaffinity(int tid, size_t length, const void *mask)",
      ),
      ioctl: library.func("int ioctl(int fd, unsigned long request, uintptr_t argument)"),
      errno: () => koffi.errno() as number,
    };
  } catch (error) {
    throw new BootstormError("NO_KOFFI", "cannot make system calls from here", {
      why: `the package koffi did not load: ${(error as Error).message.split("\n")[0]}`,
      remedies: [
        "npm install koffi",
        "koffi ships binaries for Linux on x86-64, arm64, riscv64 and loong64",
      ],
      exit: EXIT.host,
    });
  }
}
