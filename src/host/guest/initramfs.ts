import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { BootstormError, EXIT } from "../../core/error.ts";
import type { Cache } from "../store/cache.ts";
import { cpio } from "./cpio.ts";
import { elfSegments, PT_INTERP } from "./elf.ts";
import { INIT_SCRIPT } from "./init-script.ts";
import { markProgram } from "./mark-program.ts";

/** Static ones have 1 to 2 MiB. */
const BUSYBOX_BYTES_MAX = 32 << 20;

/** What a guest has beside busybox. */
export interface GuestFiles {
  /** The script that is its first process. */
  readonly init: Uint8Array;
  /** The programs of busybox that the script calls. */
  readonly applets: readonly string[];
  /** Others, by name. */
  readonly programs?: Readonly<Record<string, Uint8Array>>;
}

/**
 * Builds the initramfs of our guest, not compressed: to unpack it would cost the guest time.
 * @param cache  where it is put, once for each busybox
 * @param folders  where to look for busybox
 * @returns its file
 * @throws BootstormError NO_BUSYBOX, CANNOT_WRITE
 */
export function buildInitramfs(cache: Cache, folders?: readonly string[]): Promise<string> {
  const files = {
    init: Buffer.from(INIT_SCRIPT),
    applets: ["sh", "mount", "reboot", "sleep", "yes"],
    programs: { mark: markProgram() },
  };
  return packInitramfs(cache, files, folders);
}

/** The same with other files. @throws BootstormError NO_BUSYBOX, CANNOT_WRITE */
export async function packInitramfs(
  cache: Cache,
  files: GuestFiles,
  folders: readonly string[] = usualFolders(),
): Promise<string> {
  const archive = initramfs(staticBusybox(folders), files);
  const name = `initramfs-${createHash("sha256").update(archive).digest("hex").slice(0, 32)}.cpio`;
  return cache.find(name) ?? (await cache.put(name, archive));
}

function initramfs(busybox: Uint8Array, { init, applets, programs = {} }: GuestFiles): Buffer {
  return cpio([
    ...["bin", "dev", "proc", "sys"].map((path) => ({ path, kind: "folder" as const })),
    // The kernel opens it for the first process before that could make it.
    { path: "dev/console", kind: "character device", major: 5, minor: 1 },
    { path: "bin/busybox", kind: "program", content: busybox },
    ...applets.map((name) => ({ path: `bin/${name}`, kind: "link" as const, to: "busybox" })),
    ...Object.entries(programs).map(([name, content]) => ({
      ...{ path: `bin/${name}`, kind: "program" as const, content },
    })),
    { path: "init", kind: "program", content: init },
  ]);
}

/** Those of PATH, and where busybox is on hosts whose PATH does not say so. */
function usualFolders(): string[] {
  const inPath = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...inPath, "/bin", "/usr/bin", "/sbin", "/usr/sbin"];
}

function staticBusybox(folders: readonly string[]): Buffer {
  const rejected: string[] = [];
  for (const path of new Set(folders.map((folder) => join(folder, "busybox")))) {
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined || size > BUSYBOX_BYTES_MAX) continue;
    const file = readFileSync(path);
    const segments = elfSegments(file);
    if (segments?.every(({ type }) => type !== PT_INTERP)) return file;
    rejected.push(`${path} ${segments === undefined ? "is not for x86-64" : "needs libraries"}`);
  }
  throw new BootstormError("NO_BUSYBOX", "cannot build the guest's initramfs", {
    why: rejected[0] ?? "there is no busybox in PATH, nor where it usually is",
    remedies: [
      "apt-get install busybox-static (Debian, Ubuntu), or a static busybox in PATH",
      "name an initramfs of your own at guests[].machine.initramfs",
    ],
    exit: EXIT.host,
  });
}
