import { defineConfig } from "vitest/config";

// Three projects. What only computes runs in parallel: "unit" beside the sources, "commands" through
// the command line, SPIN, a browser, Kconfig and VMs in which nothing is timed. What loads this machine
// or records it ("host": tracing, storms, memory pressure) runs after them, one file at a time, so that
// one test is not another's noise.
// The time limits only end a hung run; no test asserts on speed.
export default defineConfig({
  test: {
    // Vitest leaves one CPU free, which of two is half.
    maxWorkers: "100%",
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/*.test.ts"],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: "commands",
          include: ["test/{cli,browser,check,kernel}/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "host",
          include: ["test/{host,live}/**/*.test.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
