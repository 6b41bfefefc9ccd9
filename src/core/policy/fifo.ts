/** First in, first out, without moving what waits at every step. */
export interface Fifo<T> {
  readonly length: number;
  push(item: T): void;
  peek(): T | undefined;
  shift(): T | undefined;
  /** First to last. */
  items(): readonly T[];
}

export function createFifo<T>(initial: readonly T[] = []): Fifo<T> {
  let items = initial.slice();
  let head = 0;

  return {
    get length() {
      return items.length - head;
    },
    push: (item) => {
      items.push(item);
    },
    peek: () => items[head],
    shift: () => {
      const item = items[head];
      if (head < items.length) head += 1;
      if (head > 32 && head * 2 > items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
    items: () => items.slice(head),
  };
}
