/**
 * Which group each VM belongs to, so that any number of first VMs has the groups in their proportion
 * as nearly as whole VMs can: of two groups with 10 VMs each, every other VM is of the second.
 * @param counts  VMs of each group, positive
 * @returns indices of groups, for VMs 0 to `length` - 1
 */
export function mixtureOf(counts: readonly number[], length: number): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const taken = counts.map(() => 0);
  return Array.from({ length }, (_, vm) => {
    const owed = counts.map((count, group) => (count * (vm + 1)) / all - taken[group]!);
    const group = owed.indexOf(Math.max(...owed));
    taken[group]! += 1;
    return group;
  });
}
