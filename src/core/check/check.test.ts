import { describe, expect, it } from "vitest";
import { DESIGN_BY_NAME, DESIGNS, MUTANTS } from "../kernel/design/index.ts";
import { linux420 } from "../kernel/design/linux-4.20.ts";
import { noCpaLock } from "../kernel/design/no-cpa-lock.ts";
import {
  checkDesign,
  DEFAULT_LIMITS,
  estimateSize,
  replaySaved,
  type Verdict,
  verdictTable,
} from "./check.ts";
import { type Question, TABLE_OPERATIONS } from "./question.ts";

const asked = {
  cpus: 3,
  regions: 1,
  tlbRule: "note-2007",
  memoryModel: "sc",
  flush: "broadcast",
} as const;

function ask(name: string, operations: string, more: Partial<Question> = {}): Verdict {
  return checkDesign({ ...asked, design: DESIGN_BY_NAME.get(name)!, operations, ...more });
}

/** `safe`, or the law and the steps: `C1-access 10`. */
function short(verdict: Verdict): string {
  const found = verdict.counterexample;
  if (found !== undefined) return `${found.law.id} ${found.replay.steps.length}`;
  return verdict.unknown?.text ?? verdict.verdict;
}

// Two CPUs that take a page away and give it back: between one's last store and its return the other
// may have stored the contrary, which breaks nothing.
it.each(["2m", "1g"] as const)(
  "CPUs that want contrary things of one page, %s: reduced or not, the same answer",
  (start) => {
    for (const regions of [1, 2]) {
      const contrary = ask("linux-4.20", "set_direct_map", { pages: 2, regions, start });
      expect(short(contrary)).toBe("safe");
      expect(contrary.coverage.selfCheck?.passed).toBe(true);
    }
    // Such a page can be lost nevertheless, and that is seen.
    expect(short(ask("pre-split", "ro rw, x", { cpus: 2, pages: 1, start }))).toMatch(/^C3-lost/);
  },
);

describe("the published record", () => {
  it("is what the table says, design by design", () => {
    const rows = DESIGNS.map((design) => {
      const verdicts = verdictTable([design], TABLE_OPERATIONS, asked);
      return [design.name, ...verdicts.map(short)].join(" | ");
    });
    expect(rows).toEqual([
      // design | set_direct_map | ro | memory-type | collapse | same-page
      "linux-2.6.27 | safe | C1-access 11 | C1-type 11 | C1-access 11 | C1-access 11",
      "linux-2.6.28 | safe | safe | safe | safe | safe",
      "linux-2.6.28-no-cpa-lock | safe | C1-access 10 | C1-type 10 | C1-access 10 | C1-access 10",
      "linux-4.20 | safe | safe | safe | safe | safe",
      "no-cpa-lock | safe | C1-access 10 | C1-type 10 | C1-access 10 | C1-access 10",
      "linux-6.15 | safe | safe | safe | C1-access 26 | safe",
      "linux-6.15-no-cpa-lock | safe | C1-access 10 | C1-type 10 | C1-access 10 | C1-access 10",
      "fix-2026-07 | safe | safe | safe | C1-access 27 | safe",
      "linux-7.3 | safe | safe | safe | C1-access 32 | safe",
      "linux-7.3-read-over-flush | safe | safe | safe | safe | safe",
      "linux-7.3-no-cpa-lock | safe | C1-access 12 | C1-type 12 | C1-access 12 | C1-access 12",
      "per-pmd-split-only | safe | C1-access 10 | C1-type 10 | C1-access 10 | C1-access 10",
      "per-pmd-lock | safe | safe | safe | safe | safe",
      "skip-for-present | safe | safe | safe | safe | safe",
      "split-mark | safe | safe | safe | safe | C3-lost 16",
      "reader-writer | safe | safe | safe | safe | C3-lost 21",
      "pre-split | safe | safe | safe | safe | C3-lost 6",
    ]);
  });

  it("the patch of December 2022 breaks as Gleixner said: another CPU sees the new table", () => {
    const found = ask("no-cpa-lock", "ro").counterexample!;
    expect(found.law.id).toBe("C1-access");
    expect(found.replay.preemptions).toBe(1);
    expect(found.programs).toEqual([["ro"], ["ro"]]);
    expect(found.replay.steps.map((s) => `${s.cpu} ${s.fn}: ${s.what}`)).toEqual([
      "0 lookup_address: read PMD",
      "0 should_split_large_page: lock pgd_lock",
      "0 should_split_large_page: look up again",
      "0 should_split_large_page: unlock pgd_lock",
      "0 __split_large_page: lock pgd_lock",
      "0 __split_large_page: look up again",
      "0 __split_large_page: __set_pmd_pte: install the table",
      "1 lookup_address: read PMD",
      "1 __change_page_attr: read PTE",
      "1 __change_page_attr: set_pte_atomic",
    ]);
    const last = found.replay.steps.at(-1)!.after.tlbs[0]!;
    expect({ large: last.large, small: last.small[1] }).toEqual({ large: [[7]], small: [5, 7] });
  });

  it("6.15-7.2: a store goes into a table that a collapse took away, cpa_lock or not; fixed in 2026", () => {
    const outcome = ["linux-6.15", "linux-6.15-no-cpa-lock", "fix-2026-07", "linux-7.3"].map(
      (name) => `${name} ${short(ask(name, "collapse-np"))}`,
    );
    expect(outcome).toEqual([
      "linux-6.15 C2-store 12",
      "linux-6.15-no-cpa-lock C2-store 11",
      "fix-2026-07 safe",
      "linux-7.3 safe",
    ]);
  });

  it("the fixes of 2026 leave a hole: a collapse while another caller's final flush is pending", () => {
    const outcome = ["fix-2026-07", "linux-7.3", "linux-7.3-read-over-flush"].map((name) =>
      short(ask(name, "ro, ro, collapse", { pages: 2, start: "4k" })),
    );
    expect(outcome).toEqual(["C1-access 17", "C1-access 22", "safe"]);
  });

  it("September 2008: pgd_lock with interrupts off, a fork, and a flush by IPIs deadlock", () => {
    const verdict = ask("pgd-lock-irqsave", "fork", { flush: "ipi", cpus: 2 });
    expect(short(verdict)).toBe("C7-deadlock 11");
    expect(ask("linux-4.20", "fork", { flush: "ipi", cpus: 2 }).verdict).toBe("safe");
  });

  it("a lock for each PMD does not keep two CPUs from splitting one 1 GiB entry", () => {
    const below1g = { start: "1g", regions: 2, cpus: 2 } as const;
    expect(short(ask("per-pmd-lock", "set_direct_map", below1g))).toBe("C6-table 14");
    expect(short(ask("no-cpa-lock", "set_direct_map", below1g))).toBe("safe");
  });

  it("2022 host: without cpa_lock a page can change hands while a TLB maps its 2 MiB writable", () => {
    const warnings = (name: string) => ask(name, "psc-2022").warnings.map((l) => l.id);
    expect(warnings("linux-4.20")).toEqual([]);
    expect(warnings("no-cpa-lock")).toEqual(["R8-tlb"]);
  });
});

describe("assumptions", () => {
  it("decide: by today's manuals the patch is safe but for memory types", () => {
    const today = { tlbRule: "sdm-today" } as const;
    expect(ask("no-cpa-lock", "ro", today).verdict).toBe("safe");
    expect(short(ask("no-cpa-lock", "memory-type", today))).toBe("C1-type 10");
  });

  it("decide: on a CPU with erratum 383 only a direct map of 4 KiB entries is safe", () => {
    const safe = DESIGNS.filter(
      ({ name }) => ask(name, "ro", { tlbRule: "erratum-383", cpus: 2 }).verdict === "safe",
    );
    expect(safe.map(({ name }) => name)).toEqual(["pre-split"]);
  });

  it("do not decide: store buffers, and IPIs one by one, change no verdict", () => {
    const verdicts = (more: Partial<Question>) =>
      [...DESIGN_BY_NAME.keys()].flatMap((name) =>
        ["set_direct_map", "ro"].map(
          (o) => `${name} ${o} ${ask(name, o, { cpus: 2, ...more }).verdict}`,
        ),
      );
    const plain = verdicts({});
    expect(verdicts({ memoryModel: "tso" })).toEqual(plain);
    expect(verdicts({ flush: "ipi" })).toEqual(plain);
  });

  it("are printed with every verdict", () => {
    expect(ask("linux-4.20", "ro").assumptions.join("\n")).toMatch(/2007[\s\S]*page of its own/);
  });
});

describe("no false green", () => {
  const limited = (limits: object) =>
    checkDesign(
      { ...asked, design: linux420, operations: "ro", cpus: 6 },
      { ...DEFAULT_LIMITS, symmetry: false, ...limits },
    );

  it("a limit ends in unknown, and says after how many states", () => {
    for (const [limits, why] of [
      [{ statesMax: 5_000 }, "states"],
      [{ memoryBytes: 300_000 }, "memory"],
      [{ shouldStop: () => true }, "time"],
    ] as const) {
      const verdict = limited(limits);
      expect(verdict).toMatchObject({ verdict: "unknown", complete: false, unknown: { why } });
      expect(verdict.unknown?.text).toMatch(/^unknown after \d+ states/);
    }
  });

  it("a program that asks for nothing is vacuous, not safe", () => {
    expect(ask("linux-4.20", "").unknown).toMatchObject({ why: "vacuous" });
    expect(ask("linux-4.20", "rw").unknown?.text).toBe("vacuous: no PTE was ever stored");
  });

  it("a lock that no run takes is vacuous: the design promised it", () => {
    const omit = ["should_split_large_page", "__split_large_page"].flatMap((fn) => [
      `${fn}: lock pgd_lock`,
      `${fn}: unlock pgd_lock`,
    ]);
    const { verdict, unknown } = ask("linux-4.20", "ro", { omit });
    expect(verdict).toBe("unknown");
    expect(unknown?.text).toBe("vacuous: lock pgd_lock was never taken");
  });

  it("every step of 4.20 that is left out is missed, but pgd_lock, which cpa_lock covers", () => {
    const whole = ask("linux-4.20", "ro");
    const steps = whole.coverage.reached.filter(
      (label) => !/read|look up|lost the race|return|vmalloc|alloc_pages|fill/.test(label),
    );
    const outcome = Object.fromEntries(
      steps.map((label) => [label, short(ask("linux-4.20", "ro", { omit: [label], cpus: 2 }))]),
    );
    expect(outcome).toMatchInlineSnapshot(`
      {
        "__change_page_attr: set_pte_atomic": "C3-effect 17",
        "__change_page_attr_set_clr: lock cpa_lock": "C1-access 12",
        "__change_page_attr_set_clr: unlock cpa_lock": "C7-lock 16",
        "__split_large_page: __set_pmd_pte: install the table": "C8-page 16",
        "__split_large_page: flush_tlb_all": "C1-access 14",
        "__split_large_page: lock pgd_lock": "safe",
        "__split_large_page: unlock pgd_lock": "C7-lock 16",
        "cpa_flush: flush the range": "C4-stale 17",
        "should_split_large_page: lock pgd_lock": "safe",
        "should_split_large_page: unlock pgd_lock": "C7-lock 5",
        "split_large_page: lock cpa_lock": "C1-access 13",
        "split_large_page: unlock cpa_lock": "C7-lock 5",
      }
    `);
  });

  it("every mutant is caught by some operations", () => {
    const caught = MUTANTS.map((design) => {
      const found = verdictTable([design], [...TABLE_OPERATIONS, "collapse-writer"], asked);
      return `${design.name} ${found.find((v) => v.verdict === "unsafe") ? "caught" : "missed"}`;
    });
    expect(caught.filter((line) => line.endsWith("missed"))).toEqual([]);
  });
});

describe("coverage", () => {
  it("the states of a search by symmetry stand for exactly the states without it", () => {
    for (const design of DESIGN_BY_NAME.values()) {
      for (const operations of TABLE_OPERATIONS) {
        const { selfCheck } = ask(design.name, operations).coverage;
        const what = `${design.name} ${operations}`;
        expect(selfCheck?.passed, what).toBe(true);
        // Also where the verdict is unsafe: the three searches go on beside what breaks a law.
        expect(selfCheck!.reduced, what).toBe(selfCheck!.unreduced);
      }
    }
  });

  it("without a self-check the verdict says why", () => {
    const whole = { ...DEFAULT_LIMITS, merge: false, symmetry: false };
    const question = { ...asked, design: linux420, operations: "ro" };
    expect(checkDesign(question, whole).coverage).toMatchObject({
      selfCheckAbsent: "nothing was reduced, so there is nothing to compare",
    });
    const short = { ...DEFAULT_LIMITS, shouldStop: () => true };
    expect(checkDesign(question, short).coverage).toMatchObject({
      selfCheckAbsent:
        "the same question at 3 CPUs, not reduced, did not end within the time limit",
    });
  });

  it("names what was contended, and how often each law had something to look at", () => {
    const { locks, tested, unreached } = ask("linux-4.20", "ro").coverage;
    expect(locks).toEqual([
      { name: "cpa_lock", contended: true },
      { name: "pgd_lock", contended: false },
    ]);
    expect(tested.bothSizes).toBeGreaterThan(0);
    expect(tested.flushCleared).toBeGreaterThan(0);
    expect(unreached).toEqual([]);
  });
});

it("a saved counterexample runs again and breaks the same law", () => {
  for (const [name, operations] of [
    ["no-cpa-lock", "ro"],
    ["linux-7.3", "collapse"],
    ["mutant-lock-order", "ro"],
  ] as const) {
    const found = ask(name, operations).counterexample!;
    const saved = JSON.parse(JSON.stringify(found.schedule));
    expect(replaySaved(saved).broken & found.law.bit, name).not.toBe(0);
  }
});

it("a counterexample is as small for 8 CPUs with two requests each as for 2 with one", () => {
  const found = ask("no-cpa-lock", "ro rw", { cpus: 8 }).counterexample!;
  expect(found.programs).toEqual([["ro"], ["ro"]]);
  expect(found.replay.steps).toHaveLength(10);
});

it("the size of a search is known within a factor of ten before it starts", () => {
  const question = { ...asked, design: noCpaLock, operations: "set_direct_map", cpus: 8 };
  const { states } = estimateSize(question);
  const real = checkDesign(question).states;
  expect(states / real).toBeGreaterThan(0.5);
  expect(states / real).toBeLessThan(10);
});

it("problems of a question are all named", () => {
  expect(() => ask("linux-4.20", "ro, frobnicate", { cpus: 99 })).toThrow(
    /no request "frobnicate"[\s\S]*cpus: 99 is not in 1\.\.16/,
  );
});
