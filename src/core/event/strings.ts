/** Gives each distinct text a small number. */
export interface StringTable {
  intern(text: string): number;
  readonly list: readonly string[];
}

export function stringTable(): StringTable {
  const indexOf = new Map<string, number>();
  const list: string[] = [];
  function intern(text: string): number {
    let index = indexOf.get(text);
    if (index === undefined) {
      index = list.length;
      indexOf.set(text, index);
      list.push(text);
    }
    return index;
  }
  return { intern, list };
}
