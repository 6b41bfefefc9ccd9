import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Hierarchies } from "./hierarchy.ts";

/** Of one pattern; more are more than the VMs of any host. */
const MATCHES_MAX = 1_000;

/**
 * Groups whose path from the mount on fits a pattern, of all hierarchies, each once.
 * @param pattern  `machine.slice/machine-qemu*`: `*` stands for any part of one name
 */
export function groupsMatching(pattern: string, { v2, v1Cpu }: Hierarchies): readonly string[] {
  const found = [v2, v1Cpu].flatMap((mount) => (mount === undefined ? [] : below(mount, pattern)));
  return [...new Set(found)].slice(0, MATCHES_MAX);
}

function below(mount: string, pattern: string): readonly string[] {
  let paths: readonly string[] = ["/"];
  for (const part of pattern.split("/").filter((each) => each !== "")) {
    const names = new RegExp(`^${part.split("*").map(literal).join(".*")}$`);
    paths = paths
      .flatMap((path) =>
        foldersOf(join(mount, path))
          .filter((name) => names.test(name))
          .map((name) => join(path, name)),
      )
      .slice(0, MATCHES_MAX);
  }
  return paths.filter((path) => path !== "/");
}

function literal(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
}

function foldersOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return []; // Gone, or not for us.
  }
}
