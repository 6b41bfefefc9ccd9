import type { StormField, StormPoint } from "./storm-point.ts";

/** The points of a sweep as lines over one numeric field. */
export interface StormCurve {
  /** What grows along the x axis; absent when no swept field is a number. */
  readonly x?: string;
  /** In the order of the sweep; without x one point each. */
  readonly series: readonly StormSeries[];
}

export interface StormSeries {
  /** The other swept fields, alike for all points of the series. */
  readonly fields: readonly StormField[];
  /** Ascending in x. */
  readonly points: readonly StormCurvePoint[];
}

export interface StormCurvePoint {
  readonly x: number;
  readonly point: StormPoint;
}

const VM_COUNT = /^guests\[\d+\]\.count$/;

/** The number of VMs is the x axis where it is swept, else the number with the most values. */
export function stormCurve(points: readonly StormPoint[]): StormCurve {
  const paths = points[0]!.fields.map((field) => field.path);
  const numeric = paths
    .map((path) => ({ path, values: new Set(points.map((point) => numberAt(point, path))) }))
    .filter(({ values }) => values.size > 1 && [...values].every((each) => !Number.isNaN(each)))
    .sort((a, b) => rank(b) - rank(a));
  const x = numeric[0]?.path;
  const byName = new Map<string, StormCurvePoint[]>();
  for (const point of points) {
    const name = JSON.stringify(othersOf(point, x).map((field) => field.label));
    const own = byName.get(name) ?? [];
    byName.set(name, [...own, { x: x === undefined ? 0 : numberAt(point, x), point }]);
  }
  const series = [...byName.values()].map((of) => ({
    fields: othersOf(of[0]!.point, x),
    points: of.sort((a, b) => a.x - b.x),
  }));
  return x === undefined ? { series } : { x, series };
}

function rank({ path, values }: { readonly path: string; readonly values: Set<number> }): number {
  return values.size + (VM_COUNT.test(path) ? 1e6 : 0);
}

function othersOf(point: StormPoint, x: string | undefined): readonly StormField[] {
  return point.fields.filter((field) => field.path !== x);
}

/** NaN where the value is no number. */
function numberAt(point: StormPoint, path: string): number {
  const value = point.fields.find((field) => field.path === path)?.value;
  return typeof value === "number" ? value : Number.NaN;
}
