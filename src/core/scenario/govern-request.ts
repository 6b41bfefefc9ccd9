import { z } from "zod";
import { problemsOfIssue } from "./issue.ts";
import { pathText } from "./problem.ts";

// What clients send to the governor. Unlike files, requests may have fields that we do not know:
// a newer client can talk to an older daemon.

const label = () => z.string().min(1).max(128).refine(isPlain, "holds a control character");
const ms = (min: number, max: number) => z.int().min(min).max(max);

const holder = z.object({
  pid: z
    .int()
    .min(1)
    .max(2 ** 22), // PID_MAX_LIMIT (include/linux/threads.h).
  startTicks: z.union([z.string().regex(/^\d{1,20}$/), z.int().min(0)]).transform(String),
});

/** A day: who waits longer asks again. */
const DEADLINE_MS_MAX = 86_400_000;

export const permitRequest = z.object({
  key: label(),
  vm: label(),
  tenant: z.int().min(0).max(1_000_000).default(0),
  priority: z.int().min(-1000).max(1000).default(0),
  memoryMiB: z.int().min(1).max(67_108_864).optional(),
  vcpus: z.int().min(1).max(4096).optional(),
  holder: holder.optional(),
  leaseMs: ms(1, DEADLINE_MS_MAX).optional(),
  deadlineMs: ms(1, DEADLINE_MS_MAX).optional(),
  wait: z.boolean().default(true),
});

export const renewRequest = z.object({
  leaseMs: ms(1, DEADLINE_MS_MAX).optional(),
  holder: holder.optional(),
});

export const releaseRequest = z.object({
  outcome: z.enum(["ready", "failed", "unknown", "gave-up"]).default("ready"),
  bootMs: z.number().min(0).max(DEADLINE_MS_MAX).optional(),
  cpuMs: z.number().min(0).max(1e12).optional(),
});

export type PermitRequest = z.output<typeof permitRequest>;
export type ReleaseRequest = z.output<typeof releaseRequest>;

export type RequestSchema<T> = z.ZodType<T>;

/** @returns the request with its defaults, or every problem in words */
export function readRequest<T>(
  schema: RequestSchema<T>,
  value: unknown,
): { readonly request: T; readonly problems?: undefined } | { readonly problems: string } {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { request: parsed.data };
  const problems = parsed.error.issues
    .flatMap((issue) => problemsOfIssue(issue, value))
    .map(({ path, problem }) => (path.length === 0 ? problem : `${pathText(path)}: ${problem}`));
  return { problems: problems.join("; ") };
}

function isPlain(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}
