import { createFifo, type Fifo } from "./fifo.ts";

/**
 * Who goes next: higher priority first; within a priority the tenants take turns, so that one with
 * a thousand VMs does not stand before one with a single VM; within a tenant first come, first
 * served. Without turns all are one tenant.
 */
export interface FairQueue {
  readonly length: number;
  /** How many of those who wait have at least this priority. */
  ahead(priority: number): number;
  push(entry: QueueEntry): void;
  shift(): QueueEntry | undefined;
  has(id: number): boolean;
  remove(id: number): void;
  snapshot(): QueueState;
}

export type QueueEntry = {
  readonly id: number;
  readonly tenant: number;
  readonly priority: number;
};

/** Levels from high to low, each with its tenants in the order of their turns. */
export type QueueState = readonly {
  readonly priority: number;
  readonly tenants: readonly (readonly QueueEntry[])[];
}[];

interface Level {
  readonly priority: number;
  readonly tenants: Map<number, Line>;
  /** Tenants that wait, the next one first. */
  turns: Fifo<number>;
  length: number;
}

interface Line {
  readonly places: Fifo<Place>;
  /** Those of `places` that have not left. A line without any is closed. */
  staying: number;
}

interface Place {
  readonly entry: QueueEntry;
  gone: boolean;
}

export function createFairQueue(order: "arrival" | "tenants", saved: QueueState = []): FairQueue {
  const levels: Level[] = [];
  const places = new Map<number, Place>();
  for (const level of saved) for (const tenant of level.tenants) tenant.forEach(push);

  function push(entry: QueueEntry): void {
    const level = levelOf(entry.priority);
    const tenant = tenantOf(entry);
    let line = level.tenants.get(tenant);
    if (line === undefined) {
      line = { places: createFifo(), staying: 0 };
      level.tenants.set(tenant, line);
      level.turns.push(tenant);
    }
    const place: Place = { entry, gone: false };
    line.places.push(place);
    line.staying += 1;
    level.length += 1;
    places.set(entry.id, place);
  }

  function shift(): QueueEntry | undefined {
    const level = levels.find((each) => each.length > 0);
    if (level === undefined) return undefined;
    const tenant = level.turns.shift()!;
    const line = level.tenants.get(tenant)!;
    const { entry } = firstOf(line.places);
    forget(level, line, entry.id);
    if (line.staying > 0) level.turns.push(tenant);
    else level.tenants.delete(tenant);
    return entry;
  }

  function remove(id: number): void {
    const place = places.get(id);
    if (place === undefined) return;
    const level = levelOf(place.entry.priority);
    const tenant = tenantOf(place.entry);
    const line = level.tenants.get(tenant)!;
    place.gone = true;
    forget(level, line, id);
    if (line.staying > 0) return;
    level.tenants.delete(tenant);
    level.turns = createFifo(level.turns.items().filter((each) => each !== tenant));
  }

  function forget(level: Level, line: Line, id: number): void {
    level.length -= 1;
    line.staying -= 1;
    places.delete(id);
  }

  function levelOf(priority: number): Level {
    const at = levels.findIndex((each) => each.priority <= priority);
    const found = at === -1 ? undefined : levels[at];
    if (found?.priority === priority) return found;
    const level: Level = { priority, tenants: new Map(), turns: createFifo(), length: 0 };
    levels.splice(at === -1 ? levels.length : at, 0, level);
    return level;
  }

  function tenantOf(entry: QueueEntry): number {
    return order === "tenants" ? entry.tenant : 0;
  }

  return {
    get length() {
      return places.size;
    },
    ahead: (priority) =>
      levels.reduce((sum, each) => (each.priority >= priority ? sum + each.length : sum), 0),
    push,
    shift,
    has: (id) => places.has(id),
    remove,
    snapshot: () =>
      levels
        .filter((level) => level.length > 0)
        .map(({ priority, tenants, turns }) => ({
          priority,
          tenants: turns.items().map((tenant) =>
            tenants
              .get(tenant)!
              .places.items()
              .filter((place) => !place.gone)
              .map((place) => place.entry),
          ),
        })),
  };
}

/** Takes the first that stays; there is one. */
function firstOf(places: Fifo<Place>): Place {
  let place = places.shift()!;
  while (place.gone) place = places.shift()!;
  return place;
}
