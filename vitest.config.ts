import { defineConfig } from "vitest/config";

// Two projects: what is pure runs in parallel; what loads this machine (tracing, memory
// pressure, a browser) runs one file at a time, so that one test is not another's noise.
// The time limits only end a hung run; no test asserts on speed.
export default defineConfig({
  test: {
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
          name: "host",
          include: ["test/{host,cli,browser,check}/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
