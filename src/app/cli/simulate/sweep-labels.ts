import type { PolicySpec } from "../../../core/policy/policy.ts";
import type { SweepValue } from "../../../core/scenario/scenario.ts";
import type { SweepPoint } from "../../../core/scenario/sweep.ts";

/**
 * Swept values in a few words, different for different values. Policies of one name are told apart by
 * the first option that does it alone, or else by all in which they differ.
 */
export function sweepLabels(
  points: readonly SweepPoint[],
): (path: string, value: SweepValue) => string {
  const fields = points.flatMap((point) => point.fields);
  return (path, value) => {
    if (typeof value !== "object") return String(value);
    if (value.length === 0) return "none";
    const alike = fields
      .filter((field) => field.path === path)
      .map((field) => field.value)
      .filter((other) => typeof other === "object" && namesOf(other) === namesOf(value));
    const told = optionsThatTell(alike as readonly (readonly PolicySpec[])[]);
    return value
      .map(({ name, options }, place) => {
        const said = told
          .filter((option) => option.place === place)
          .map(({ key }) => `${key} ${String(options[key])}`);
        return said.length === 0 ? name : `${name} (${said.join(", ")})`;
      })
      .join(" + ");
  };
}

interface OptionPlace {
  /** Of the policy in its list. */
  readonly place: number;
  readonly key: string;
}

/** @param alike  lists of policies with the same names in the same order */
function optionsThatTell(alike: readonly (readonly PolicySpec[])[]): readonly OptionPlace[] {
  const all = alike[0]!.flatMap(({ options }, place) =>
    Object.keys(options).map((key) => ({ place, key })),
  );
  const count = (of: (policies: readonly PolicySpec[]) => unknown) =>
    new Set(alike.map((policies) => JSON.stringify(of(policies)))).size;
  const different = count((policies) => policies);
  const valuesOf = ({ place, key }: OptionPlace) =>
    count((policies) => policies[place]!.options[key]);
  const alone = all.find((option) => valuesOf(option) === different);
  if (different === 1) return [];
  return alone === undefined ? all.filter((option) => valuesOf(option) > 1) : [alone];
}

function namesOf(policies: readonly PolicySpec[]): string {
  return policies.map(({ name }) => name).join(" ");
}
