import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createProgress } from "./progress.ts";

let said: string[];
beforeEach(() => {
  said = [];
  vi.useFakeTimers();
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said.push(String(text));
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test("not on a terminal: a line every three seconds, and the last step is never lost", () => {
  const progress = createProgress({ quiet: false });
  progress.step("measuring", 0.5);
  progress.step("measuring", 0.9);
  progress.step("fitting", 0);
  expect(said).toEqual(["bootstorm: measuring  50 %\n"]);
  vi.advanceTimersByTime(2_900);
  expect(said).toHaveLength(1);
  vi.advanceTimersByTime(200);
  expect(said.slice(1)).toEqual(["bootstorm: fitting   0 %\n"]);
  vi.advanceTimersByTime(60_000);
  expect(said).toHaveLength(2);
});

test("what was cleared, or followed by a note, does not come back", () => {
  const progress = createProgress({ quiet: false });
  for (const end of [progress.clear, () => progress.note("a warning")]) {
    progress.step("measuring", 0.1);
    vi.advanceTimersByTime(3_000);
    progress.step("measuring", 0.2);
    progress.step("measuring", 0.3);
    said.length = 0;
    end();
    vi.advanceTimersByTime(60_000);
    expect(said.filter((line) => line.includes("measuring"))).toEqual([]);
  }
});

test("quiet: notes alone", () => {
  const progress = createProgress({ quiet: true });
  progress.step("measuring", 0.5);
  vi.advanceTimersByTime(60_000);
  progress.note("a warning");
  expect(said).toEqual(["bootstorm: a warning\n"]);
});
