import { readdirSync, readFileSync } from "node:fs";
import type { TaskEntry } from "../../core/trace/raw-recording.ts";

/** Every thread that is alive now, with the name of its process. */
export function listTasks(): TaskEntry[] {
  const tasks: TaskEntry[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const process = readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
      for (const tid of readdirSync(`/proc/${pid}/task`))
        tasks.push({ tid: Number(tid), pid, process });
    } catch {
      // The process ended while we looked.
    }
  }
  return tasks;
}
