// Page-table levels in the reader's words. The kernel's names for its levels and the manuals' names
// for their entries differ; the names of kernel functions stay what they are.
//
//   Linux  maps          AMD64 manual vol 2   Intel SDM vol 3A
//   pgd    512 GiB       PML4E                PML4E
//   pud    1 GiB         PDPE                 PDPTE
//   pmd    2 MiB         PDE                  PDE
//   pte    4 KiB         PTE                  PTE

export type Terms = "linux" | "amd" | "intel";

export const TERMS: readonly Terms[] = ["linux", "amd", "intel"];

const WORDS: Readonly<Record<Terms, Readonly<Record<string, string>>>> = {
  linux: {},
  amd: { PGD: "PML4E", PUD: "PDPE", PMD: "PDE" },
  intel: { PGD: "PML4E", PUD: "PDPTE", PMD: "PDE" },
};

/** Puts a text about page tables into the reader's words: whole words in capitals, and plurals. */
export function inTerms(text: string, terms: Terms): string {
  return text.replace(/\b(PGD|PUD|PMD)(s?)\b/g, (_, word: string, plural: string) => {
    return `${WORDS[terms][word] ?? word}${plural}`;
  });
}
