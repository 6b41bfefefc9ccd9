import fc from "fast-check";
import { expect, it } from "vitest";
import { FlushInterrupts } from "./flush-interrupts.ts";

it("a task pays for each flush since its last event, but for those in which it spun", () => {
  const ascending = fc
    .array(fc.integer({ min: 0, max: 20 }), { maxLength: 40 })
    .map((times) => times.toSorted((a, b) => a - b));
  fc.assert(
    fc.property(ascending, ascending, fc.integer({ min: 0, max: 20 }), (before, after, spin) => {
      const interrupts = new FlushInterrupts(7, 2);
      for (const t of before) interrupts.send(0, t);
      interrupts.skip(1);
      const offset = before.at(-1) ?? 0;
      const later = after.map((t) => t + offset);
      for (const t of later) interrupts.send(0, t);
      interrupts.spins(1, spin);
      expect(interrupts.hasNews(1)).toBe(later.length > 0);
      expect(interrupts.owedNs(1)).toBe(7 * later.filter((t) => t > spin).length);
      expect(interrupts.owedNs(1)).toBe(0);
      expect(interrupts.hasNews(0)).toBe(false);
    }),
  );
});
