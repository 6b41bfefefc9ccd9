import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { AcceleratorAsk, Candidate } from "./accelerator.ts";
import type { Lack } from "./accelerator-lack.ts";

type Verdict = { readonly cpu: string } | Lack;

/**
 * What guests have shown before, under the same QEMU with the same kernel since the host booted;
 * else what the probe shows now. A refusal tells where it is remembered, so that whoever knows better
 * can have it tried again.
 */
export async function rememberedVerdict(
  candidate: Candidate,
  { profile, qemu, initramfs, cache, root = "/" }: AcceleratorAsk,
  probe: () => Promise<Verdict>,
): Promise<Verdict> {
  const key = [
    candidate.accelerator,
    readFileSync(join(root, "/proc/sys/kernel/random/boot_id"), "latin1").trim(),
    qemu.version,
    profile.kind === "tiny" ? profile.machine : "q35",
    candidate.kernel.sha256,
    initramfs,
    candidate.firmware === undefined
      ? ""
      : [candidate.firmware, statSync(candidate.firmware, { throwIfNoEntry: false })?.mtimeMs],
    candidate.snp ?? "",
  ];
  const hash = createHash("sha256").update(JSON.stringify(key)).digest("hex").slice(0, 16);
  const name = `accelerator-${candidate.accelerator}-${hash}.json`;
  const file = cache.find(name);
  const before = file === undefined ? undefined : parseVerdict(readFileSync(file, "utf8"));
  if (before !== undefined && file !== undefined) {
    if ("cpu" in before) return before;
    return { ...before, evidence: `${before.evidence} (remembered in ${file})` };
  }
  const verdict = await probe();
  await cache.put(name, `${JSON.stringify(verdict)}\n`);
  return verdict;
}

/** Our own file, in a folder that is ours alone: either as we wrote it, or of another version. */
function parseVerdict(text: string): Verdict | undefined {
  try {
    const { cpu, reason, evidence } = JSON.parse(text) as Partial<Lack & { cpu: string }>;
    if (typeof cpu === "string") return { cpu };
    if (typeof reason === "string" && typeof evidence === "string") return { reason, evidence };
  } catch {
    // Not ours to read: the probe answers anew.
  }
  return undefined;
}
