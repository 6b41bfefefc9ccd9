import { expect, test } from "vitest";
import type { HostFact } from "../facts/host-fact.ts";
import { factsText } from "./host-facts.ts";

const KVM: HostFact = {
  id: "kvm",
  title: "KVM",
  state: "missing",
  found: "/dev/kvm opens and a guest's firmware runs, but its kernel makes no progress",
  evidence: "KVM, -cpu qemu64: reached firmware, stood still until 10.0 s were over; TCG: fine",
  remedy: "boot emulated guests instead, which takes longer and works on every host: -accel tcg",
};
const PERF: HostFact = {
  id: "perf",
  title: "perf and more",
  state: "ok",
  found: "6.1.192",
  evidence: "perf --version",
};

test("facts stand below each other: state, title, finding; then the evidence and what to do", () => {
  expect(factsText([KVM, PERF])).toBe(
    `missing  KVM            /dev/kvm opens and a guest's firmware runs, but its
                        kernel makes no progress
         KVM, -cpu qemu64: reached firmware, stood still until 10.0 s were over;
         TCG: fine
         do: boot emulated guests instead, which takes longer and works on every
             host: -accel tcg
ok       perf and more  6.1.192
         perf --version
`,
  );
});

test("colour changes no column", () => {
  const painted = factsText([KVM, PERF], (role, text) => `<${role}>${text}</${role}>`);
  expect(painted).toContain("<missing>missing</missing>  KVM");
  expect(painted.replace(/<\/?\w+>/g, "")).toBe(factsText([KVM, PERF]));
});

test("what a program printed cannot steer the terminal", () => {
  const evil = { ...PERF, evidence: "\u001b[2Jgone" };
  expect(factsText([evil])).not.toContain("\u001b");
});
