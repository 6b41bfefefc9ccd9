import { plainLines } from "./console-tail.ts";
import type { GuestMilestone, Sign } from "./milestones.ts";

/** What a piece of a console's text tells. */
export interface ConsoleSigns {
  readonly signs: readonly Sign[];
  /** Why the guest's kernel gave up, as it says itself. Told once. */
  readonly panic?: string;
}

/** The longest text that is looked for; also how much of a piece is kept for the next one. */
const NEEDLE_BYTES_MAX = 256;

/** `Kernel panic - not syncing: Fatal exception`, its line cut. Source: panic(), kernel/panic.c. */
const PANIC = "Kernel panic - ";
const PANIC_LINE = /^[^\r\n]{200}|^[^\r\n]*(?=[\r\n])/;

/** `bootstorm: ready 1.042137` and the end of the line: seconds of the guest's own clock. */
const OWN_MARK = "bootstorm: ";
const OWN_LINE = /^bootstorm: (init|ready) (\d{1,7}(?:\.\d{1,9})?)[\r\n]/;
const OWN_LINE_BYTES_MAX = 64;

/**
 * Looks for milestones and panics in a console's text, which comes in pieces. Each is told once,
 * also where a piece ends in the middle of it. Keeps less than 256 bytes between pieces.
 * @param marks  texts that tell of milestones, each of at most 256 bytes; the empty text stands for
 * the first byte that comes
 */
export function createConsoleScan(
  marks: Readonly<Partial<Record<GuestMilestone, string>>>,
): (piece: Buffer) => ConsoleSigns {
  const wanted = new Map(
    Object.entries(marks).map(([milestone, text]) => [
      milestone as GuestMilestone,
      Buffer.from(text).subarray(0, NEEDLE_BYTES_MAX),
    ]),
  );
  const ownWanted = new Set<string>(["init", "ready"]);
  let panicWanted = true;
  let rest: Buffer = Buffer.alloc(0);

  const next = (text: Buffer, from: number) =>
    ownWanted.size === 0 ? -1 : text.indexOf(OWN_MARK, from);

  function ownSigns(text: Buffer): Sign[] {
    const signs: Sign[] = [];
    for (let at = next(text, 0); at !== -1; at = next(text, at + OWN_MARK.length)) {
      const line = OWN_LINE.exec(text.toString("latin1", at, at + OWN_LINE_BYTES_MAX));
      if (line === null || !ownWanted.delete(line[1]!)) continue;
      signs.push({
        milestone: line[1] as GuestMilestone,
        guestNs: Math.round(Number(line[2]) * 1e9),
      });
    }
    return signs;
  }

  function markSigns(text: Buffer): Sign[] {
    const signs: Sign[] = [];
    for (const [milestone, mark] of wanted) {
      if (!text.includes(mark)) continue;
      wanted.delete(milestone);
      signs.push({ milestone });
    }
    return signs;
  }

  return (piece) => {
    const text = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    const signs = [...markSigns(text), ...ownSigns(text)];
    const panic = panicWanted ? panicOf(text) : undefined;
    if (panic !== undefined) panicWanted = false;
    // A copy: a view would keep the whole piece in memory.
    rest = Buffer.from(text.subarray(Math.max(0, text.length - NEEDLE_BYTES_MAX + 1)));
    return panic === undefined ? { signs } : { signs, panic };
  };
}

/** The line that tells of a panic, once it is whole or long enough. */
function panicOf(text: Buffer): string | undefined {
  const at = text.indexOf(PANIC);
  if (at === -1) return undefined;
  const line = PANIC_LINE.exec(text.toString("latin1", at, at + NEEDLE_BYTES_MAX));
  return line === null ? undefined : plainLines(line[0])[0];
}
