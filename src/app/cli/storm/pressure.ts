// Direct-map pressure beside the boots: processes that take and free secret pages until told to stop.
import { startCrew } from "../../../host/secretmem/crew.ts";

const PAGES = 512;
const ANSWER_LIMIT_MS = 60_000;

export interface Pressure {
  /** Aborts when there is no pressure any more, with what went wrong as its reason. */
  readonly failed: AbortSignal;
  /** Ends the processes and frees their pages. */
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
  const failure = new AbortController();
  let going = true;
  const work = (async () => {
    try {
      while (going) await crew.round({ kind: "secret", processes, pages: PAGES });
    } catch (error) {
      failure.abort(error);
    }
  })();
  return {
    failed: failure.signal,
    async stop() {
      going = false;
      await work;
      await crew.close();
    },
  };
}
