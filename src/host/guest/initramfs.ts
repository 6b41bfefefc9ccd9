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

/** What the init script calls. */
const APPLETS = ["sh", "mount", "reboot", "sleep", "yes"];

/**
 * Builds the initramfs of our guest, not compressed: to unpack it would cost the guest time.
 * @param cache  where it is put, once for each busybox
 * @param folders  where to look for busybox
 * @returns its file
 * @throws BootstormError NO_BUSYBOX, CANNOT_WRITE
 */
export async function buildInitramfs(
  cache: Cache,
  folders: readonly string[] = usualFolders(),
): Promise<string> {
  const archive = initramfs(staticBusybox(folders));
  const name = `initramfs-${createHash("sha256").update(archive).digest("hex").slice(0, 32)}.cpio`;
  return cache.find(name) ?? (await cache.put(name, archive));
}

function initramfs(busybox: Uint8Array): Buffer {
  return cpio([
    ...["bin", "dev", "proc", "sys"].map((path) => ({ path, kind: "folder" as const })),
    // The kernel opens it for the first process before that could make it.
    { path: "dev/console", kind: "character device", major: 5, minor: 1 },
    { path: "bin/busybox", kind: "program", content: busybox },
    ...APPLETS.map((name) => ({ path: `bin/${name}`, kind: "link" as const, to: "busybox" })),
    { path: "bin/mark", kind: "program", content: markProgram() },
    { path: "init", kind: "program", content: Buffer.from(INIT_SCRIPT) },
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
