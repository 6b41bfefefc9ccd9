/** `1 CPU`, `2 CPUs`. */
export function cpus(count: number): string {
  return `${count} ${count === 1 ? "CPU" : "CPUs"}`;
}

/** `1 process`, `2 processes`. */
export function processes(count: number): string {
  return `${count} ${count === 1 ? "process" : "processes"}`;
}
