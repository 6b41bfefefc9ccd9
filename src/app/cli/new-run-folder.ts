/** Where the files of a run go that nobody named a folder for. */
export function newRunFolder(): string {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return `bootstorm-runs/${stamp}`;
}
