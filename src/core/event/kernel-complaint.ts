/**
 * Complaints of kernels, the first of each kind. Those that differ only in numbers and addresses are of
 * one kind: a CPU, a process, how long something has taken.
 */
export function firstOfEachKind(complaints: readonly string[]): string[] {
  const first = new Map<string, string>();
  for (const complaint of complaints) {
    const kind = complaint.replace(/0x[0-9a-f]+|[0-9a-f]{16}|\d+/g, "#");
    if (!first.has(kind)) first.set(kind, complaint);
  }
  return [...first.values()];
}
