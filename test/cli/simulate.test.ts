// `bootstorm simulate` as a person runs it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StormPoint } from "../../src/core/analyze/storm-point.ts";
import {
  bootstorm,
  checkout,
  filesIn,
  schemaErrors,
  startBootstorm,
  until,
  workersOf,
} from "./bootstorm.ts";

type Point = StormPoint & Readonly<Record<string, unknown>>;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-simulate-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const simulate = (...args: string[]) =>
  bootstorm(["simulate", "--quiet", ...args], { cwd: folder });

/** The points of a run with --json, which must keep the schema. */
function pointsOf(...args: string[]): Point[] {
  const { stdout, stderr, status } = simulate(...args, "--json");
  expect(status, stderr).toBe(0);
  const document = JSON.parse(stdout);
  expect(schemaErrors("simulate", document)).toEqual([]);
  return document.result.points;
}

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

const COUNT = "guests[0].count";
const small = ["--set", "guests[0].memoryMiB=128", "--replications", "2"];

describe("the same question", () => {
  const storm = ["talk-concurrent", ...small, "--sweep", `${COUNT}=1,4,16`];

  test("the same scenario and seed are the same bytes, as text, JSON and page; another seed is not", () => {
    const json = simulate(...storm, "--json").stdout;
    expect(simulate(...storm, "--json").stdout).toBe(json);
    const text = simulate(...storm, "--html", "a.html").stdout;
    expect(simulate(...storm, "--html", "b.html").stdout).toBe(text);
    const page = (name: string) => readFileSync(join(folder, name), "utf8");
    expect(page("b.html")).toBe(page("a.html"));
    expect(simulate(...storm, "--seed", "2", "--json").stdout).not.toBe(json);
  });

  test("the answer does not depend on the number of cores, also when it says when to stop", () => {
    const precise = [...storm, "--set", "run.phaseSpread=0.2", "--ci", "8", "--json"];
    const args = ["simulate", "--quiet", ...precise];
    const command = [
      "taskset",
      "--cpu-list",
      "0",
      process.execPath,
      join(checkout, "bin/bootstorm.js"),
    ];
    const one = bootstorm(args, { cwd: folder, command });
    expect(one.status, one.stderr).toBe(0);
    expect(bootstorm(args, { cwd: folder }).stdout).toBe(one.stdout);
  });

  test("the command that it prints asks it again", () => {
    const { stdout } = simulate(...storm);
    const line = /How to repeat it\n─+\n {2}bootstorm (simulate .*)\n/.exec(stdout)![1]!;
    const words = line.split(" ").map((word) => word.replaceAll("'", ""));
    expect(bootstorm([...words, "--quiet"], { cwd: folder }).stdout).toBe(stdout);
  });
});

test("a sweep covers every combination of its lists, the last one fastest", () => {
  const points = pointsOf(
    "talk-relative",
    ...small,
    "--sweep",
    "host.design=linux-4.20,per-pmd-lock",
    "--sweep",
    `${COUNT}=2,1`,
    "--sweep",
    "host.flush=ipi,broadcast",
  );
  expect(points.map((each) => [each["host.design"], each[COUNT], each["host.flush"]])).toEqual(
    ["linux-4.20", "per-pmd-lock"].flatMap((design) =>
      [2, 1].flatMap((count) => ["ipi", "broadcast"].map((flush) => [design, count, flush])),
    ),
  );
  for (const each of points) expect(each.vms).toBe(each[COUNT]);
});

test("a field that is set is no longer swept", () => {
  const points = pointsOf("talk-relative", ...small, "--set", `${COUNT}=3`);
  expect(points.map((each) => [each["host.design"], each.vms])).toEqual([
    ["linux-4.20", 3],
    ["no-cpa-lock", 3],
  ]);
});

test("whole policies can be swept, and each is named in the answer", () => {
  const policies = '[[],[{"name":"boot-cap","options":{"boots":2}}]]';
  const { stdout } = simulate(
    "talk-concurrent",
    ...small,
    "--set",
    `${COUNT}=8`,
    "--sweep",
    `policy=${policies}`,
  );
  expect(stdout).toMatch(/8 VMs boot in .* with policy none/);
  expect(stdout).toMatch(/policy boot-cap: .* of none/);
});

test("replications go on until the interval is narrow enough, and say how many it took", () => {
  const wide = ["talk-concurrent", ...small, "--set", `${COUNT}=1`, "--set", "run.phaseSpread=0.3"];
  const [few] = pointsOf(...wide, "--ci", "50");
  const [many] = pointsOf(...wide, "--ci", "10");
  expect(few!.replications).toBeGreaterThanOrEqual(5);
  expect(many!.replications).toBeGreaterThan(few!.replications);
});

describe("what makes no sense is refused, with all problems at once", () => {
  test("in a file: line, column, field, value and limit", () => {
    const bad = file(
      "bad.yaml",
      "name: bad\ntitle: nonsense\nhost: { cpus: 0 }\nguests:\n  - { memroyMiB: 12, count: -1 }\n",
    );
    const { stderr, status } = simulate(bad);
    expect(status).toBe(2);
    expect(stderr).toContain("bad.yaml:3:15 host.cpus: 0 is too few, at least 1");
    expect(stderr).toMatch(/bad\.yaml:5:\d+ guests\[0\]\.memroyMiB: there is no such field/);
    expect(stderr).toContain("guests[0].count: -1 is too few, at least 1");
    expect(stderr).toContain("3 fields are wrong");
  });

  test("in flags: the flag is named, not a line of the file", () => {
    const { stderr, status } = simulate(
      "talk-concurrent",
      "--set",
      "host.cpus=0",
      "--set",
      "host.psp.updateMs=-1",
    );
    expect(status).toBe(2);
    expect(stderr).toContain("--set host.cpus=0: host.cpus: 0 is too few, at least 1");
    expect(stderr).toContain("--set host.psp.updateMs=-1: host.psp.updateMs: -1 is too few");
  });

  test.each([
    [
      "guests[0].count=1,2000",
      "--sweep guests[0].count=1,2000: sweep[0].values[1]: guests: 4096000",
    ],
    ["host.nothing=1", "there is no field"],
    ["host.design=linux-4.20,none-such", '"none-such" is none of'],
  ])("a sweep of %s", (sweep, said) => {
    const { stderr, status } = simulate("talk-concurrent", "--sweep", sweep);
    expect(status).toBe(2);
    expect(stderr).toContain(said);
  });

  test.each([
    [["--set", "guests[7].count=1"], "there is no [7]"],
    [["--set", "host"], "is not path=value"],
    [["--ci", "80"], "not a number from 0.01 to 50"],
    [["--grain", "fine"], "none of exact, sections, aggregated"],
    [
      ["--set", "host.costs.table=mine.json"],
      "--set host.costs.table=mine.json: host.costs.table: cannot read mine.json: there is no such file",
    ],
  ])("flags %j", (flags, said) => {
    const { stderr, status } = simulate("talk-concurrent", ...flags);
    expect(status).toBe(2);
    expect(stderr).toContain(said);
  });

  test("a scenario that is not there: those that are", () => {
    const { stderr, status } = simulate("no-such");
    expect(status).toBe(2);
    expect(stderr).toContain("talk-concurrent");
    expect(simulate("no-such.yaml").status).toBe(4);
  });
});

test("Ctrl-C in the middle of a storm ends it with 130 and leaves no file", async () => {
  const before = filesIn(folder).sort();
  const args = ["simulate", "talk-concurrent", "--html", "never.html", "--json=never.json"];
  const run = startBootstorm(args, { cwd: folder });
  await until(() => run.said().includes("storms simulated"));
  run.kill("SIGINT");
  const { status, stderr } = await run.ended;
  expect(status).toBe(130);
  expect(stderr).toContain("INTERRUPTED");
  expect(workersOf(run.pid)).toEqual([]);
  expect(filesIn(folder).sort()).toEqual(before);
});

test("the page has the curve with its error bars, and asks nothing of the network", () => {
  simulate("talk-relative", ...small, "--sweep", `${COUNT}=1,4`, "--html", "page.html");
  const page = readFileSync(join(folder, "page.html"), "utf8");
  expect(page).toContain("Boot time against VMs started at once");
  expect(page).toContain("no-cpa-lock");
  expect(page).not.toMatch(/(src|href)="?http/);
});

test("no storm is over before theory says it can be", () => {
  const exact = ["--set", "run.phaseSpread=0", "--replications", "1"];
  for (const scenario of ["talk-concurrent", "severifast"]) {
    for (const point of pointsOf(scenario, ...exact, "--sweep", `${COUNT}=1,8,32`)) {
      expect(point.makespanMs).toBeGreaterThanOrEqual(point.bound.makespanMs * (1 - 1e-9));
    }
  }
});

describe("the ready scenarios show what they say", () => {
  const quick = ["--replications", "1", "--set", "run.phaseSpread=0", "--grain", "aggregated"];
  const less = (mib: number) => ["--set", `guests[0].memoryMiB=${mib}`];
  const median = (point: Point | undefined) => point!.bootMs.median;
  const where = (points: readonly Point[], fields: Readonly<Record<string, unknown>>) =>
    points.filter((point) =>
      Object.entries(fields).every(([path, value]) => point[path] === value),
    );
  const one = (points: readonly Point[], fields: Readonly<Record<string, unknown>>) => {
    expect(where(points, fields)).toHaveLength(1);
    return where(points, fields)[0]!;
  };
  const share = (point: Point, lock: string) =>
    point.locks.find((each) => each.name === lock)!.shareOfBoot;
  const growsAlong = (points: readonly Point[]) => {
    for (let i = 1; i < points.length; i += 1) {
      expect(median(points[i])).toBeGreaterThan(median(points[i - 1]));
    }
  };

  test("talk-concurrent: boot time grows with VMs; beyond the knee each adds as much as the last", () => {
    const points = pointsOf("talk-concurrent", ...quick);
    expect(points.map((point) => point.vms)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256]);
    growsAlong(points);
    const slope = (a: number, b: number) =>
      (median(one(points, { vms: b })) - median(one(points, { vms: a }))) / (b - a);
    expect(slope(128, 256) / slope(64, 128)).toBeCloseTo(1, 1);
    expect(slope(1, 4)).toBeLessThan(slope(128, 256));
    for (const point of points.filter(({ vms }) => vms >= 4)) {
      expect(point.bottleneck!.name).toBe("cpa_lock");
    }
    expect(share(points.at(-1)!, "cpa_lock")).toBeGreaterThan(0.7);
  });

  test("talk-concurrent: who is first depends on memory, as docs/validation.md says", () => {
    const first = (memoryMiB: number, firmwareMiB: number) => {
      const guest = ["--set", `guests[0].firmwareMiB=${firmwareMiB}`, ...less(memoryMiB)];
      const [point] = pointsOf("talk-concurrent", ...quick, ...guest, "--set", `${COUNT}=256`);
      return point!.bottleneck!.name;
    };
    expect([first(256, 1), first(384, 1)]).toEqual(["sev_cmd_mutex", "cpa_lock"]);
    expect([first(1024, 4), first(1280, 4)]).toEqual(["sev_cmd_mutex", "cpa_lock"]);
  });

  test("talk-relative: without cpa_lock better, and still degrading, because of the PSP", () => {
    const points = pointsOf("talk-relative", ...quick);
    const without = where(points, { "host.design": "no-cpa-lock" });
    growsAlong(without.filter((point) => point.vms >= 2));
    for (const after of without.filter((point) => point.vms >= 8)) {
      const before = one(points, { "host.design": "linux-4.20", vms: after.vms });
      expect(median(after)).toBeLessThan(median(before));
      expect(before.bottleneck!.name).toBe("cpa_lock");
      expect(after.bottleneck!.name).toBe("sev_cmd_mutex");
    }
  });

  test("talk-relative is drawn in percent of one VM, talk-rmpupdate-threads on a logarithmic axis", () => {
    const fewer = [...quick, ...less(64), "--sweep"];
    const relative = simulate("talk-relative", ...fewer, `${COUNT}=1,2`).stdout;
    expect(relative).toContain("median boot time, % of that with 1 VM\n");
    expect(relative).toMatch(/linux-4\.20 +1 +[\d.,]+ +100\.0 /);
    const threads = `background.rmpupdateThreads=0,1`;
    expect(simulate("talk-rmpupdate-threads", ...fewer, threads).stdout).toContain(
      "median boot time, s (log scale)\n",
    );
  });

  test("talk-rmpupdate-threads: with cpa_lock each thread adds a hold to each page, without it none", () => {
    const points = pointsOf("talk-rmpupdate-threads", ...quick, ...less(256));
    const at = (design: string, threads: number) =>
      median(one(points, { "host.design": design, "background.rmpupdateThreads": threads }));
    const slope = (a: number, b: number) => (at("linux-4.20", b) - at("linux-4.20", a)) / (b - a);
    expect(slope(32, 128) / slope(8, 32)).toBeCloseTo(1, 1);
    expect(at("linux-4.20", 128)).toBeGreaterThan(3 * at("linux-4.20", 0));
    expect(at("no-cpa-lock", 128) / at("no-cpa-lock", 0)).toBeCloseTo(1, 2);
  });

  test("fixes-ladder: pgd_lock shows no wait under cpa_lock and is next without it; per-PMD is flat", () => {
    const points = pointsOf("fixes-ladder", ...quick, ...less(512));
    const at = (design: string, vms: number) => one(points, { "host.design": design, vms });
    expect(share(at("linux-4.20", 256), "pgd_lock")).toBe(0);
    expect(at("linux-4.20", 256).bottleneck!.name).toBe("cpa_lock");
    expect(at("no-cpa-lock", 256).bottleneck!.name).toBe("pgd_lock");
    expect(median(at("no-cpa-lock", 256))).toBeLessThan(median(at("linux-4.20", 256)) / 4);
    expect(median(at("no-cpa-lock", 256))).toBeGreaterThan(median(at("no-cpa-lock", 1)) * 1.1);
    expect(median(at("per-pmd-lock", 256)) / median(at("per-pmd-lock", 1))).toBeCloseTo(1, 1);
  });

  test("fixes-ladder begins after the launch, and says so; talk-concurrent does not", () => {
    const caveats = (name: string) => {
      const { stdout } = simulate(name, ...quick, ...less(64), "--set", `${COUNT}=1`, "--json");
      return JSON.parse(stdout).caveats.join("\n");
    };
    expect(caveats("fixes-ladder")).toContain("the guests are launched already");
    expect(caveats("talk-concurrent")).not.toContain("launched already");
  });

  test("with launches no lock design makes boots flat, for each launch takes its turn", () => {
    const design = ["--set", "host.design=per-pmd-lock", "--set", `${COUNT}=256`];
    const [last] = pointsOf("talk-concurrent", ...quick, ...less(512), ...design);
    expect(last!.bottleneck!.name).toBe("sev_cmd_mutex");
    expect(last!.bottleneck!.shareOfBoot).toBeGreaterThan(0.8);
  });

  test("psc-limit: a limiter does not shorten a storm of equals, a cap on boots does", () => {
    const points = pointsOf("psc-limit", ...quick, ...less(256));
    const of = (policy: string) =>
      points.find((point) => (point.policy as { name: string }[])[0]?.name === policy)!;
    const none = points.find((point) => (point.policy as unknown[]).length === 0);
    expect(median(of("psc-rate")) / median(none)).toBeCloseTo(1, 1);
    expect(median(of("boot-cap"))).toBeLessThan(0.8 * median(none));
    expect(points).toHaveLength(8);
  });

  test("psc-limit: a cap between once and twice the knee costs the last VM nothing", () => {
    const [capped] = pointsOf(
      "psc-limit",
      "--replications",
      "3",
      "--set",
      'policy=[{"name":"boot-cap","options":{"boots":12}}]',
    );
    const [free] = pointsOf("psc-limit", "--replications", "3", "--set", "policy=[]");
    expect(capped!.bootMs.mean).toBeLessThan(0.65 * free!.bootMs.mean);
    expect(capped!.makespanMs).toBeLessThan(1.02 * free!.makespanMs);
  });

  test("lazy-accept: eager boots grow with memory, lazy ones do not", () => {
    const points = pointsOf("lazy-accept", ...quick, "--sweep", "guests[0].memoryMiB=1024,4096");
    const at = (acceptance: string, memoryMiB: number) =>
      median(one(points, { "guests[0].acceptance": acceptance, "guests[0].memoryMiB": memoryMiB }));
    expect(at("eager", 4096)).toBeGreaterThan(1.5 * at("eager", 1024));
    expect(at("lazy", 4096)).toBeCloseTo(at("lazy", 1024), -2);
  });

  test("abusive-guest: 100 ms protect nobody from four abusers, five seconds all within 10 %", () => {
    const points = pointsOf("abusive-guest", ...quick);
    const at = (count: number) => where(points, { "background.abusers.count": count });
    const undisturbed = median(at(0)[0]);
    const [free, , usual, patient] = at(4);
    expect(median(free)).toBeGreaterThan(3 * undisturbed);
    expect(median(usual)).toBeGreaterThan(0.8 * median(free));
    expect(median(patient)).toBeLessThan(1.1 * undisturbed);
    expect(patient!.heldBackMs).toBe(0);
  });

  test("overcommit: burners make boots longer, a cap makes them shorter", () => {
    const points = pointsOf("overcommit", ...quick, ...less(128));
    const [free, capped] = where(points, { vms: 64, "background.cpuBurners": 0 });
    expect(median(capped)).toBeLessThan(median(free));
    const burnt = where(points, { vms: 64, "background.cpuBurners": 16 })[0];
    expect(median(burnt)).toBeGreaterThan(median(free));
  });

  test("severifast: 1 to 49 VMs, and the PSP is to blame", () => {
    const points = pointsOf("severifast", ...quick);
    growsAlong(points);
    expect(points.at(-1)!.bottleneck!.name).toBe("sev_cmd_mutex");
  });

  test("cold-host-6.12: the first storm pays for the splits where memory is scattered, more by IPI", () => {
    const points = pointsOf("cold-host-6.12", ...quick, ...less(512));
    const at = (state: string, placement: string, flush: string) =>
      median(
        one(points, {
          "host.directMap.state": state,
          "host.placement": placement,
          "host.flush": flush,
        }),
      );
    const warm = at("warm", "scattered", "ipi");
    expect(at("cold", "scattered", "ipi")).toBeGreaterThan(1.1 * warm);
    expect(at("cold", "scattered", "broadcast")).toBeLessThan(at("cold", "scattered", "ipi"));
    expect(at("cold", "contiguous", "ipi") / warm).toBeCloseTo(1, 1);
  });
});
