import { readlinkSync } from "node:fs";
import { startTicksOf } from "../exec/start-time.ts";

// Whatever we make among the groups of a host is a folder that carries its owner in its name, so that
// a later start knows what a killed run has left. Three kinds:
//
//   bootstorm-4026531836-4242-1190355.group.0             processes that we moved
//   bootstorm-4026531836-4242-1190355.weight.100          an empty mark: the weight of its parent was 100
//   bootstorm-4026531836-4242-1190355.limit.-1.100000     quota and period of its parent, µs

/** Where process numbers mean something, our number, and when we started: no other has had all three. */
function ownerName(): string {
  return `bootstorm-${pidNamespace()}-${process.pid}-${startTicksOf(process.pid)}`;
}

/** The name of a folder of ours: what it is, and numbers. */
export function ownName(what: string, ...values: readonly (number | string)[]): string {
  return [ownerName(), what, ...values].join(".");
}

export interface OwnedName {
  readonly what: string;
  readonly values: readonly string[];
  /** Of another process that runs, or of another container, of which we cannot tell. */
  readonly isHeld: boolean;
  readonly isMine: boolean;
}

/** @returns undefined for a name that is none of ours */
export function readName(name: string): OwnedName | undefined {
  const match =
    /^(bootstorm-(\d+)-(\d+)-(\d+))\.(group|weight|limit|frozen)((?:\.[a-z0-9-]+)+)$/.exec(name);
  if (match === null) return undefined;
  const [, owner, namespace, pid, startTicks, what, values] = match;
  const isMine = owner === ownerName();
  const runs = startTicksOf(Number(pid)) === startTicks;
  return {
    what: what!,
    values: values!.slice(1).split("."),
    isHeld: !isMine && (namespace !== pidNamespace() || runs),
    isMine,
  };
}

/** `pid:[4026531836]`: the number differs from container to container. */
function pidNamespace(): string {
  return readlinkSync("/proc/self/ns/pid").replace(/\D/g, "");
}
