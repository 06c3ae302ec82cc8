/**
 * A queue in ascending order of index, for items that are appended in order; few come back. Taking from the front
 * and appending are O(1); putting back is O(log n) to find and O(returned) to place.
 */
export class TaskQueue<Item extends { readonly index: number }> {
  /** Slots before the head are emptied at once, so that the array keeps no taken item alive. */
  #inOrder: (Item | undefined)[] = [];
  #head = 0;
  /** Items that came back, ascending. */
  #returned: Item[] = [];

  get size(): number {
    return this.#inOrder.length - this.#head + this.#returned.length;
  }

  /** Adds an item; ascending order is the cheap case. */
  append(item: Item): void {
    const last = this.#inOrder.at(-1);
    if (this.#head < this.#inOrder.length && last && last.index > item.index) this.putBack(item);
    else this.#inOrder.push(item);
  }

  putBack(item: Item): void {
    let low = 0;
    let high = this.#returned.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#returned[middle] as Item).index < item.index) low = middle + 1;
      else high = middle;
    }
    this.#returned.splice(low, 0, item);
  }

  /** The first item, without taking it. */
  first(): Item | undefined {
    const returned = this.#returned[0];
    const fresh = this.#inOrder[this.#head];
    return returned && (!fresh || returned.index < fresh.index) ? returned : fresh;
  }

  /** The first `count` items in order, without taking them. */
  peek(count: number): Item[] {
    const items: Item[] = [];
    let a = 0;
    let b = this.#head;
    while (items.length < count) {
      const returned = this.#returned[a];
      const fresh = this.#inOrder[b];
      if (!returned && !fresh) break;
      if (returned && (!fresh || returned.index < fresh.index)) {
        items.push(returned);
        a += 1;
      } else {
        items.push(fresh as Item);
        b += 1;
      }
    }
    return items;
  }

  /** Takes an item near the front (as {@link peek} gave it), or any returned item. */
  take(item: Item): boolean {
    const returned = this.#returned.indexOf(item);
    if (returned >= 0) {
      this.#returned.splice(returned, 1);
      return true;
    }
    const at = this.#inOrder.indexOf(item, this.#head);
    if (at < 0) return false;
    // The few items in front move up by one, instead of the many behind moving down.
    this.#inOrder.copyWithin(this.#head + 1, this.#head, at);
    this.#advance();
    return true;
  }

  shift(): Item | undefined {
    const returned = this.#returned[0];
    const fresh = this.#inOrder[this.#head];
    if (returned && (!fresh || returned.index < fresh.index)) return this.#returned.shift();
    if (fresh) this.#advance();
    return fresh;
  }

  *[Symbol.iterator](): Generator<Item> {
    yield* this.#returned;
    for (let at = this.#head; at < this.#inOrder.length; at++) yield this.#inOrder[at] as Item;
  }

  #advance(): void {
    this.#inOrder[this.#head] = undefined;
    this.#head += 1;
    if (this.#head < 1024 || this.#head * 2 < this.#inOrder.length) return;
    this.#inOrder = this.#inOrder.slice(this.#head);
    this.#head = 0;
  }
}
