// What a step of a schedule changed: page tables and TLBs before and after, in words.
import { formatAttributes } from "../kernel/attributes.ts";
import type { MachineView } from "../kernel/machine/view.ts";

/** One line a change; none when the step changed only locks or local variables. */
export function machineChanges(before: MachineView, after: MachineView): string[] {
  return [
    ...tableChanges(before, after),
    ...tlbChanges(before, after),
    ...rmpChanges(before, after),
  ];
}

/** The large entries and what TLBs hold of them: all there is before the first step. */
export function machineState({ pud, pmds, ptes, tlbs }: MachineView): string[] {
  const nothing = <T>(values: readonly T[]) => values.map(() => undefined);
  return [
    ...changed("PUD", [undefined], [pud], entryText),
    ...changed("PMD", nothing(pmds), pmds, entryText),
    ...changed("PTE", nothing(ptes), ptes, entryText),
    ...tlbs.slice(0, 1).flatMap(({ huge, large, small }) => [
      ...sizeChanges("a TLB may hold", "1G", [[]], [huge]),
      ...sizeChanges(
        "a TLB may hold",
        "2M",
        large.map(() => []),
        large,
      ),
      ...sizeChanges(
        "a TLB may hold",
        "4K",
        small.map(() => []),
        small,
      ),
    ]),
  ];
}

function tableChanges(before: MachineView, after: MachineView): string[] {
  return [
    ...changed("PUD", [before.pud], [after.pud], entryText),
    ...changed("PMD", before.pmds, after.pmds, entryText),
    ...changed("PTE", before.ptes, after.ptes, entryText),
  ];
}

function changed<T>(
  name: string,
  before: readonly T[],
  after: readonly T[],
  text: (value: T) => string | undefined,
): string[] {
  return after.flatMap((value, i) => {
    const was = text(before[i]!);
    const is = text(value);
    if (was === is || is === undefined) return [];
    const label = after.length === 1 ? name : `${name} ${i}`;
    return [was === undefined ? `${label}: ${is}` : `${label}: ${was} → ${is}`];
  });
}

function entryText(entry: number | string | undefined): string | undefined {
  if (entry === undefined || typeof entry === "string") return entry;
  return formatAttributes(entry);
}

function tlbChanges(before: MachineView, after: MachineView): string[] {
  return after.tlbs.flatMap((tlb, observer) => {
    const who = after.tlbs.length === 1 ? "a TLB may hold" : `TLB of CPU ${observer} may hold`;
    const was = before.tlbs[observer]!;
    return [
      ...sizeChanges(who, "1G", [was.huge], [tlb.huge]),
      ...sizeChanges(who, "2M", was.large, tlb.large),
      ...sizeChanges(who, "4K", was.small, tlb.small),
    ];
  });
}

type TlbSets = readonly (readonly number[])[];

function sizeChanges(who: string, size: string, before: TlbSets, after: TlbSets): string[] {
  return after.flatMap((entries, i) => {
    const is = setText(entries);
    if (is === setText(before[i]!)) return [];
    const where = after.length === 1 ? "" : size === "4K" ? ` of page ${i}` : ` of region ${i}`;
    return [`${who} ${is === "" ? `no ${size}${where}` : `${size}${where}: ${is}`}`];
  });
}

function setText(entries: readonly number[]): string {
  return entries.map(formatAttributes).join(" or ");
}

function rmpChanges(before: MachineView, after: MachineView): string[] {
  return changed("RMP", before.rmp, after.rmp, (entry) => {
    if (entry === undefined) return undefined;
    const owner = entry.assigned ? "guest" : "hypervisor";
    return entry.validated ? `${owner}, validated` : owner;
  });
}
