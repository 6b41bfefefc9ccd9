import type { Instance } from "../../src/core/check/instance.ts";
import { writeInitial } from "../../src/core/check/instance.ts";
import { DEADLOCK } from "../../src/core/kernel/law.ts";
import { KIND } from "../../src/core/kernel/machine/instruction.ts";
import { BLOCKED } from "../../src/core/kernel/machine.ts";

/** What all interleavings together do, found without any of the checker's reductions. */
export interface BruteAnswer {
  readonly states: number;
  readonly broken: number;
}

/**
 * Every interleaving, one operation at a time, depth first, states as strings in a Set: nothing is
 * shared with the checker's search but the machine itself and the unfolding of programs. Pair it
 * with an instance whose thread states are whole histories, and the declared live values are out
 * of the game too.
 */
export function bruteForce(instance: Instance, laws: number): BruteAnswer {
  const { machine, automaton, setup } = instance;
  const first = new Uint8Array(machine.bytes);
  writeInitial(instance, first);
  const seen = new Set([first.join()]);
  const stack = [first];
  let broken = 0;
  for (let here = stack.pop(); here !== undefined; here = stack.pop()) {
    let moved = false;
    let done = true;
    for (let cpu = 0; cpu < setup.programs.length; cpu += 1) {
      const node = machine.node(here, cpu);
      const { kind, a, b, c } = automaton.nodes[node]!.instruction;
      if (kind === KIND.done) continue;
      done = false;
      const after = here.slice();
      const result = machine.apply(after, cpu, kind, a, b, c);
      if (result === BLOCKED) continue;
      moved = true;
      const to = automaton.next(node, result);
      machine.setNode(after, cpu, to);
      const stepBroken = (machine.broken | automaton.nodes[to]!.broken) & laws;
      broken |= stepBroken;
      // What comes after a broken law means nothing.
      if (stepBroken !== 0) continue;
      const key = after.join();
      if (seen.has(key)) continue;
      seen.add(key);
      stack.push(after);
    }
    if (!moved && !done) broken |= DEADLOCK.bit & laws;
  }
  return { states: seen.size, broken };
}
