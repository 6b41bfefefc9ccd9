/**
 * What a kernel path does, one flat operation at a time. A path is a generator that yields these
 * and receives a small integer for each; whoever runs the path decides when, and answers.
 *
 * `fn` is the kernel function the step stands in, `what` the step in that function: together they
 * are the label, so that a reader can grep the kernel source for either half.
 *
 * `live` lists the local variables whose values still matter after this step, in a fixed order. Two
 * executions that yield the same operation with the same live values must continue alike; the
 * checker merges them (and tests that they do).
 */
export type Operation = Step &
  (
    | { readonly op: "lock"; readonly lock: string; readonly shared: boolean }
    | { readonly op: "unlock"; readonly lock: string; readonly shared: boolean }
    /** Reads the entry of `level` above the page → `entryIs…`. */
    | { readonly op: "readEntry"; readonly level: Level }
    /** Replaces a large entry by a page-table page whose entries all have `attributes`. */
    | {
        readonly op: "installTable";
        readonly level: Level;
        readonly attributes: number;
        readonly mark: boolean;
      }
    /** Writes a large entry: over a large one (in place), or over a table (collapse). */
    | {
        readonly op: "writeLarge";
        readonly level: Level;
        readonly attributes: number;
        readonly collapse: boolean;
        readonly set: number;
        readonly clear: number;
      }
    /** Clears the "split in progress" mark. */
    | { readonly op: "clearMark" }
    /** Waits until no split is in progress in this 2 MiB. */
    | { readonly op: "awaitUnmarked" }
    /** Reads the 4 KiB entry through the pointer the last look-up gave → attributes. */
    | { readonly op: "readPte"; readonly page: PageChoice }
    /** Stores the 4 KiB entry through that pointer. `set` and `clear` say what was asked for. */
    | {
        readonly op: "writePte";
        readonly page: PageChoice;
        readonly attributes: number;
        readonly set: number;
        readonly clear: number;
      }
    /** Reads all 4 KiB entries under the PMD at one instant → attributes, or NOT_EQUAL. */
    | { readonly op: "scanPtes" }
    | { readonly op: "flush"; readonly range: FlushRange }
    /** The two halves of a flush by inter-processor interrupts. */
    | { readonly op: "flushSend"; readonly range: FlushRange }
    | { readonly op: "flushWait"; readonly range: FlushRange }
    /** Frees the page-table page that this CPU detached by a collapse. */
    | { readonly op: "freeTable" }
    /** Allocates, or frees unused, a page-table page: no other CPU can see it. */
    | { readonly op: "allocPage"; readonly maySleep: boolean }
    | { readonly op: "freePage" }
    /** The call returns; `flushed`: it promised that no TLB contradicts what was asked for. */
    | {
        readonly op: "return";
        readonly page: PageChoice;
        readonly set: number;
        readonly clear: number;
        readonly flushed: boolean;
        readonly changed: boolean;
      }
    /** RMPUPDATE of one 4 KiB page: to the guest (assigned), or back to the hypervisor. */
    | { readonly op: "rmpupdate"; readonly assign: boolean }
    /** Splits a 2 MiB RMP entry into 512 of 4 KiB → 0, or RMP_FAIL_INUSE. */
    | { readonly op: "psmash" }
    /** The guest's PVALIDATE of its 4 KiB page → 0, or RMP_FAIL_SIZEMISMATCH. */
    | { readonly op: "pvalidate"; readonly valid: boolean }
    /** The guest touches its private 4 KiB page. */
    | { readonly op: "guestAccess" }
    /** Takes time and touches no shared state that a law looks at. */
    | { readonly op: "work" }
  );

interface Step {
  readonly fn: string;
  readonly what: string;
  readonly live?: readonly number[];
}

/** The page of the calling CPU, or a page of its 2 MiB by number. */
export type PageChoice = "own" | number;
/** A PMD maps 2 MiB, a PUD 1 GiB. */
export type Level = "pmd" | "pud";
export type FlushRange = "all" | "page";

/** A kernel path: yields operations, receives their results. */
export type Path<Result = void> = Generator<Operation, Result, number>;

/** Result of `readEntry`: 0..15 are the attributes of a large entry. */
export const ENTRY_IS_TABLE = 16;
export const ENTRY_IS_MARKED_TABLE = 17;
/** Result of `scanPtes` when the entries cannot become one. */
export const NOT_EQUAL = 16;
/** Results of the RMP instructions (arch/x86/include/asm/sev.h, v6.9; APM vol 2 15.36). */
export const RMP_OK = 0;
export const RMP_FAIL_INUSE = 3;
export const RMP_FAIL_OVERLAP = 4;
export const RMP_FAIL_SIZEMISMATCH = 6;

/** `__split_large_page: set PMD to the new table`: one step of the kernel, in words. */
export function labelOf(operation: Operation): string {
  return `${operation.fn}: ${operation.what}`;
}
