// Direct-map pressure beside the boots: processes that take and free secret pages until told to stop.
import { startCrew } from "../../../host/secretmem/crew.ts";

const PAGES = 512;
const ANSWER_LIMIT_MS = 60_000;

export interface Pressure {
  /** Ends the processes and frees their pages. @throws what went wrong meanwhile */
  stop(): Promise<void>;
}

/** @throws BootstormError as `startCrew` */
export async function startPressure(processes: number, signal: AbortSignal): Promise<Pressure> {
  const crew = await startCrew({
    processes,
    pages: PAGES,
    answerLimitMs: ANSWER_LIMIT_MS,
    signal,
  });
  let going = true;
  const work = (async () => {
    while (going) await crew.round({ kind: "secret", processes, pages: PAGES });
  })();
  // Whoever stops it hears of it; until then it must not count as unhandled.
  work.catch(() => {});
  return {
    async stop() {
      going = false;
      try {
        await work;
      } finally {
        await crew.close();
      }
    },
  };
}
