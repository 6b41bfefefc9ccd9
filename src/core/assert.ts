/**
 * States what must hold here. A failure is a bug in bootstorm, never in its input, and stays on
 * in production.
 */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`bug: ${what}`);
}

/** Ends an exhaustive `switch`: the compiler refuses it when a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`bug: unexpected ${JSON.stringify(value)}`);
}
