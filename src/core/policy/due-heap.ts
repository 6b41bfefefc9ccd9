/** Things with a time, earliest first; at equal times the lower order first. */
export interface DueHeap<T> {
  readonly size: number;
  push(dueNs: number, order: number, item: T): void;
  /** Undefined when empty. */
  peek(): T | undefined;
  /** The time of `peek`; call only when not empty. */
  peekNs(): number;
  pop(): void;
}

export function createDueHeap<T>(): DueHeap<T> {
  const dues: number[] = [];
  const orders: number[] = [];
  const items: T[] = [];

  const before = (dueNs: number, order: number, i: number) =>
    dueNs < dues[i]! || (dueNs === dues[i]! && order < orders[i]!);

  function put(i: number, dueNs: number, order: number, item: T): void {
    dues[i] = dueNs;
    orders[i] = order;
    items[i] = item;
  }

  function push(dueNs: number, order: number, item: T): void {
    let i = items.length;
    put(i, dueNs, order, item);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(dueNs, order, parent)) break;
      put(i, dues[parent]!, orders[parent]!, items[parent]!);
      i = parent;
    }
    put(i, dueNs, order, item);
  }

  function pop(): void {
    const dueNs = dues.pop()!;
    const order = orders.pop()!;
    const item = items.pop()!;
    const size = items.length;
    if (size === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && before(dues[child + 1]!, orders[child + 1]!, child)) child += 1;
      if (before(dueNs, order, child)) break;
      put(i, dues[child]!, orders[child]!, items[child]!);
      i = child;
    }
    put(i, dueNs, order, item);
  }

  return {
    get size() {
      return items.length;
    },
    push,
    peek: () => items[0],
    peekNs: () => dues[0]!,
    pop,
  };
}
