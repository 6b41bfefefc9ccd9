import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { bootstorm, schemaErrors } from "../cli/bootstorm.ts";
import { vmNeeds } from "../fixtures/vms.ts";

test("a plan's real boots stand beside their prediction", (ctx) => {
  const missing = vmNeeds();
  if (missing) return ctx.skip(missing);
  const args = ["plan", "tiny", "--quiet", "--replications", "2", "--confirm", "1", "--json"];
  const { stdout, stderr, status } = bootstorm(args, { cwd: tmpdir() });
  expect(status, stderr).toBe(0);
  const document = JSON.parse(stdout);
  expect(schemaErrors("plan", document)).toEqual([]);
  const { confirmation } = document.result;
  const { vms, cap, gain, pointsOff, failed, without } = confirmation;
  expect(vms).toBeGreaterThan(cap);
  expect(failed).toBe(0);
  expect(pointsOff).toBeCloseTo(100 * (gain.measured.value - gain.predicted.value), 6);
  expect(without.measured.value).toBeGreaterThan(confirmation.from.readyMs.low);
});
