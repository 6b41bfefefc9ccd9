import type { HostFact } from "../facts/host-fact.ts";
import type { Table } from "./table.ts";

/** What this host can do: one row a fact, with its evidence and what would change it. */
export function hostTable(facts: readonly HostFact[]): Table {
  return {
    caption: "Each fact with where it was read, and the line that would change it",
    columns: [
      { header: "fact", cells: facts.map((fact) => fact.title), align: "left" },
      { header: "state", cells: facts.map((fact) => fact.state), align: "left" },
      { header: "found", cells: facts.map((fact) => fact.found), align: "left" },
      { header: "evidence", cells: facts.map((fact) => fact.evidence), align: "left", code: true },
      {
        header: "to change it",
        cells: facts.map((fact) => fact.remedy ?? ""),
        align: "left",
        code: true,
      },
    ],
    empty: "This host was not examined.",
  };
}
