/** Things to come, in the order of their time. */

interface Entry<T> {
  readonly at: number;
  readonly rank: number;
  readonly order: number;
  readonly value: T;
}

/** A heap: the earliest first; at one time the lower rank first, and then what was put in first. */
export class EventQueue<T> {
  readonly #heap: Entry<T>[] = [];
  #order = 0;

  /** Puts something in. `at` in milliseconds. */
  add(at: number, rank: number, value: T): void {
    const heap = this.#heap;
    heap.push({ at, rank, order: this.#order++, value });
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#isBefore(i, parent)) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  /** Takes the first out; undefined where there is none. */
  take(): { readonly at: number; readonly value: T } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let i = 0; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      let least = i;
      if (left < heap.length && this.#isBefore(left, least)) least = left;
      if (right < heap.length && this.#isBefore(right, least)) least = right;
      if (least === i) return first;
      this.#swap(i, least);
      i = least;
    }
  }

  #isBefore(i: number, j: number): boolean {
    const [a, b] = [this.#heap[i] as Entry<T>, this.#heap[j] as Entry<T>];
    return a.at - b.at < 0 || (a.at === b.at && (a.rank < b.rank || (a.rank === b.rank && a.order < b.order)));
  }

  #swap(i: number, j: number): void {
    const held = this.#heap[i] as Entry<T>;
    this.#heap[i] = this.#heap[j] as Entry<T>;
    this.#heap[j] = held;
  }
}
