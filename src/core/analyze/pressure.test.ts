import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  directMapIsLarge,
  pressurePhases,
  pressureScaling,
  type RoundKind,
  type RoundResult,
  recordedThroughput,
  startedTogether,
} from "./pressure.ts";

/**
 * A round drawn as time: one text a process, `F` fills, `f` frees, one column = 1 µs.
 * Absolute times start above 2^53 ns, as after 104 days of uptime.
 */
function round(lanes: readonly string[], kind: RoundKind = "secret", pages = 100): RoundResult {
  const span = (lane: string, letter: string) => ({
    startNs: 2n ** 54n + 1000n * BigInt(lane.indexOf(letter)),
    endNs: 2n ** 54n + 1000n * BigInt(lane.lastIndexOf(letter) + 1),
  });
  return {
    kind,
    processes: lanes.length,
    pages,
    workers: lanes.map((lane, i) => ({
      pid: 100 + i,
      cpu: i,
      fill: span(lane, "F"),
      free: span(lane, "f"),
    })),
  };
}

const ONE = round(["FFFF..ff"]);
const TWO_PARALLEL = round(["FFFF..ff", "FFFF..ff"]);
const TWO_SERIAL = round(["FFFFFFFF..ffff", "FFFFFFFF..ffff"]);

describe("scaling", () => {
  test("perfectly parallel rounds of P processes scale by P, in every phase", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 32 }), (processes) => {
        const many = round(Array<string>(processes).fill("FFFF..ff"));
        const rows = pressureScaling([ONE, ONE, many, many], 1);
        expect(rows.map(({ phase }) => phase)).toEqual(["fill", "free"]);
        for (const row of rows) {
          expect(row.processes).toBe(processes);
          expect(row.ratio.value).toBeCloseTo(processes, 9);
          expect(row.ratio.low).toBeCloseTo(processes, 9);
          expect(row.ratio.high).toBeCloseTo(processes, 9);
        }
      }),
      { numRuns: 10 },
    );
  });

  test("perfectly serial rounds scale by 1", () => {
    for (const { ratio } of pressureScaling([ONE, TWO_SERIAL], 1)) {
      expect(ratio).toEqual({ value: 1, low: 1, high: 1 });
    }
  });

  test("compares the most processes with one, and leaves out what has no round at one", () => {
    const plainTwo = round(["FF", "FF"], "plain");
    const three = round(["FFFF..ff", "FFFF..ff", "FFFF..ff"]);
    const rows = pressureScaling([ONE, TWO_PARALLEL, three, plainTwo], 1);
    expect(rows.map(({ phase, processes }) => [phase, processes])).toEqual([
      ["fill", 3],
      ["free", 3],
    ]);
  });

  test("no rounds, or rounds of one process only: nothing to compare", () => {
    expect(pressureScaling([], 1)).toEqual([]);
    expect(pressureScaling([ONE], 1)).toEqual([]);
  });

  test("the observer's price is recorded throughput over unrecorded, at the same processes", () => {
    const rows = recordedThroughput([TWO_SERIAL], [ONE, TWO_PARALLEL], 1);
    expect(rows.map(({ phase, processes, ratio }) => [phase, processes, ratio.value])).toEqual([
      ["fill", 2, 0.5],
      ["free", 2, 0.5],
    ]);
  });
});

describe("phases", () => {
  test("throughput runs from the first start to the last end; cost is each process's own", () => {
    const [fill, free, ...others] = pressurePhases([round(["FFFF......ff", "..FFFFFFF.ff"])]);
    expect(others).toEqual([]);
    // 200 pages in 9 µs; 100 pages in 4 µs and in 7 µs.
    expect(fill!.points[0]!.pagesPerSecond.median).toBeCloseTo(200 / 9e-6, 3);
    expect(fill!.points[0]!.nsPerPage).toMatchObject({ n: 2, median: 55, max: 70 });
    expect(free!.points[0]!.nsPerPage).toMatchObject({ n: 2, median: 20, max: 20 });
  });

  test("the control is the fill of plain pages, and nothing else of them", () => {
    const phases = pressurePhases([round(["FF..ff"], "plain")]);
    expect(phases.map(({ phase }) => phase)).toEqual(["control"]);
    expect(phases[0]!.points[0]!.nsPerPage.median).toBe(20);
  });

  test("points ascend by processes, whatever the order of the rounds", () => {
    const [fill] = pressurePhases([TWO_SERIAL, ONE, TWO_PARALLEL]);
    expect(
      fill!.points.map(({ processes, pagesPerSecond }) => [processes, pagesPerSecond.n]),
    ).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test("a phase shorter than a tick of the clock is not infinitely fast", () => {
    const instant = { startNs: 5n, endNs: 5n };
    const worker = { pid: 1, cpu: 0, fill: instant, free: instant };
    const phases = pressurePhases([{ kind: "secret", processes: 1, pages: 1, workers: [worker] }]);
    expect(phases[0]!.points[0]!.pagesPerSecond.max).toBe(1e9);
  });
});

describe("startedTogether", () => {
  const longFill = (late: number) => `${".".repeat(late)}${"F".repeat(100)}`;
  test.each([
    { name: "one process always does", lanes: ["..FF...ff"], expected: true },
    { name: "5 % late", lanes: [`${longFill(0)}.....ff`, `${longFill(5)}ff`], expected: true },
    { name: "6 % late", lanes: [`${longFill(0)}......ff`, `${longFill(6)}ff`], expected: false },
    { name: "late to the free only", lanes: ["FF..ff", "FF...ff"], expected: false },
  ])("$name: $expected", ({ lanes, expected }) => {
    expect(startedTogether(round(lanes))).toBe(expected);
  });

  test("the free of plain pages is not measured, and not held to it", () => {
    expect(startedTogether(round(["FF..ff", "FF...ff"], "plain"))).toBe(true);
  });
});

describe("directMapIsLarge", () => {
  test.each([
    {
      name: "fresh host",
      counters: { map4kBytes: 1, map2mBytes: 10, map1gBytes: 90 },
      large: true,
    },
    { name: "split host", counters: { map4kBytes: 90, map2mBytes: 10 }, large: false },
    { name: "2M alone counts", counters: { map4kBytes: 10, map2mBytes: 11 }, large: true },
    { name: "a kernel that does not tell", counters: {}, large: false },
  ])("$name: $large", ({ counters, large }) => {
    expect(directMapIsLarge(counters)).toBe(large);
  });
});
