import { formatCount } from "../units.ts";

/** `1 CPU`, `2 CPUs`. */
export function cpus(count: number): string {
  return `${count} ${count === 1 ? "CPU" : "CPUs"}`;
}

/** `1 wait`, `2,000 waits`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** `1 process`, `2 processes`. */
export function processes(count: number): string {
  return `${count} ${count === 1 ? "process" : "processes"}`;
}
