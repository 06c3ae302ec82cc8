import type { TaskIndex } from "../../../shared/ids.ts";
import { VarintReader, VarintWriter } from "./varint.ts";

/** Indexes in a page. */
const pageBits = 512;
const pageWords = pageBits / 32;
/** Marks a page that holds all of its indexes and needs no bits. */
const full = -1;

/**
 * A set of task indexes: pages of bits, with full pages collapsed. Its size follows the partial pages, not the indexes: a job
 * whose tasks end in order has one, and 10^6 indexes without a gap are 2,000 entries of a map (80 KB).
 *
 * A page's bits take 64 bytes, as much as its map entry, so that a job whose indexes lie far apart (one a page) costs 100 bytes
 * a task. All bits are in one array whose slots are reused: a typed array for each page would cost 200 bytes more.
 */
export class IndexSet {
  /** For each page number the page's slot in the array, or `full`. */
  readonly #pages = new Map<number, number>();
  #words = new Uint32Array(4 * pageWords);
  #counts = new Uint16Array(4);
  #slots = 0;
  readonly #freeSlots: number[] = [];

  /** Number of pages, which determines the cost of iterating over the set. */
  get pages(): number {
    return this.#pages.size;
  }

  has(index: TaskIndex): boolean {
    const page = Math.floor(index / pageBits);
    const slot = this.#pages.get(page);
    if (slot === undefined) return false;
    if (slot === full) return true;
    const bit = index - page * pageBits;
    return (this.#words[slot * pageWords + (bit >>> 5)]! & (1 << (bit & 31))) !== 0;
  }

  /** @returns false when the set had the index already */
  add(index: TaskIndex): boolean {
    const page = Math.floor(index / pageBits);
    const slot = this.#pages.get(page) ?? this.#begin(page);
    if (slot === full) return false;
    const bit = index - page * pageBits;
    const word = slot * pageWords + (bit >>> 5);
    const mask = 1 << (bit & 31);
    if ((this.#words[word]! & mask) !== 0) return false;
    this.#words[word]! |= mask;
    if (++this.#counts[slot]! === pageBits) this.#collapse(page, slot);
    return true;
  }

  /** Adds `count` indexes from `first` on. */
  addRange(first: TaskIndex, count: number): void {
    const end = first + count;
    for (let index = first; index < end;) {
      const page = Math.floor(index / pageBits);
      if (index === page * pageBits && index + pageBits <= end) {
        const slot = this.#pages.get(page);
        if (slot === undefined) this.#pages.set(page, full);
        else if (slot !== full) this.#collapse(page, slot);
        index += pageBits;
      } else this.add(index++);
    }
  }

  /** @returns false when the set did not have the index */
  delete(index: TaskIndex): boolean {
    const page = Math.floor(index / pageBits);
    let slot = this.#pages.get(page);
    if (slot === undefined) return false;
    const bit = index - page * pageBits;
    if (slot === full) {
      slot = this.#begin(page);
      this.#words.fill(0xffffffff, slot * pageWords, (slot + 1) * pageWords);
      this.#counts[slot] = pageBits;
    }
    const word = slot * pageWords + (bit >>> 5);
    const mask = 1 << (bit & 31);
    if ((this.#words[word]! & mask) === 0) return false;
    this.#words[word]! &= ~mask;
    if (--this.#counts[slot]! === 0) {
      this.#pages.delete(page);
      this.#freeSlots.push(slot);
    }
    return true;
  }

  /** The lowest missing index from `from` on, or `end` when there is none below; a full page takes one step. */
  nextMissing(from: TaskIndex, end: TaskIndex): TaskIndex {
    let index = from;
    while (index < end) {
      const page = Math.floor(index / pageBits);
      const slot = this.#pages.get(page);
      if (slot === full) index = (page + 1) * pageBits;
      else if (slot === undefined || !this.has(index)) return index;
      else index++;
    }
    return end;
  }

  /** The lowest index in the set; Infinity when the set is empty. Linear in the pages. */
  lowest(): TaskIndex {
    let lowestPage = Infinity;
    for (const page of this.#pages.keys()) if (page < lowestPage) lowestPage = page;
    if (lowestPage === Infinity) return Infinity;
    let index = lowestPage * pageBits;
    while (!this.has(index)) index++;
    return index;
  }

  get isEmpty(): boolean {
    return this.#pages.size === 0;
  }

  /** Lists the indexes, lowest first; those that the caller has seen may be deleted meanwhile. */
  *indexes(): Iterable<TaskIndex> {
    for (const page of [...this.#pages.keys()].sort((a, b) => a - b))
      for (let index = page * pageBits; index < (page + 1) * pageBits; index++)
        if (this.has(index)) yield index;
  }

  /** The set in few bytes: for each run of full pages, and for each other page, the gap before it and its content. */
  encode(): Uint8Array {
    const writer = new VarintWriter();
    const numbers = [...this.#pages.keys()].sort((a, b) => a - b);
    let next = 0;
    for (let at = 0; at < numbers.length;) {
      const page = numbers[at]!;
      const slot = this.#pages.get(page)!;
      writer.signed(page - next);
      let run = 0;
      while (this.#pages.get(page + run) === full) run++;
      // A run of 0 full pages announces the bits of a partial page.
      writer.unsigned(run);
      if (run === 0) writer.raw(littleEndian(this.#words.subarray(slot * pageWords, (slot + 1) * pageWords)));
      next = page + Math.max(run, 1);
      at += Math.max(run, 1);
    }
    return writer.finish();
  }

  static decode(bytes: Uint8Array): IndexSet {
    const set = new IndexSet();
    const reader = new VarintReader(bytes);
    let page = 0;
    while (!reader.done) {
      page += reader.signed();
      const run = reader.unsigned();
      if (run > 0) for (const end = page + run; page < end; page++) set.#pages.set(page, full);
      else set.#setBits(page++, reader.raw(pageBits / 8));
    }
    return set;
  }

  #setBits(page: number, bytes: Uint8Array): void {
    const slot = this.#begin(page);
    for (let bit = 0; bit < pageBits; bit++) {
      if ((bytes[bit >>> 3]! & (1 << (bit & 7))) === 0) continue;
      this.#words[slot * pageWords + (bit >>> 5)]! |= 1 << (bit & 31);
      this.#counts[slot]!++;
    }
  }

  #begin(page: number): number {
    const slot = this.#freeSlots.pop() ?? this.#slots++;
    if (slot * pageWords >= this.#words.length) {
      const words = new Uint32Array(2 * this.#words.length);
      words.set(this.#words);
      this.#words = words;
      const counts = new Uint16Array(2 * this.#counts.length);
      counts.set(this.#counts);
      this.#counts = counts;
    }
    this.#words.fill(0, slot * pageWords, (slot + 1) * pageWords);
    this.#counts[slot] = 0;
    this.#pages.set(page, slot);
    return slot;
  }

  #collapse(page: number, slot: number): void {
    this.#pages.set(page, full);
    this.#freeSlots.push(slot);
  }
}

/** Bit n of the bytes is bit n of the words on every machine. */
function littleEndian(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < words.length; at++) view.setUint32(4 * at, words[at]!, true);
  return bytes;
}
