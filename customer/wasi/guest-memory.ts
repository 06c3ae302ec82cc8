import { CallError } from "./abi.ts";
import type { Memory } from "./web-assembly.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The memory of a running program. Its buffer is another one after each growth. An address outside ends the call with `fault`. */
export class GuestMemory {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get size(): number {
    return this.#memory.buffer.byteLength;
  }

  get view(): DataView {
    return new DataView(this.#memory.buffer);
  }

  bytes(address: number, length: number): Uint8Array {
    // Addresses are 32-bit numbers without a sign, and JavaScript gets them with one.
    const [from, count] = [address >>> 0, length >>> 0];
    if (from + count > this.size) throw new CallError("fault");
    return new Uint8Array(this.#memory.buffer, from, count);
  }

  text(address: number, length: number): string {
    try {
      return decoder.decode(this.bytes(address, length).slice());
    } catch (error) {
      throw error instanceof CallError ? error : new CallError("inval");
    }
  }

  /** The pieces of memory that a call reads into or writes from. */
  pieces(address: number, count: number): Uint8Array[] {
    const { view } = this;
    return Array.from({ length: count >>> 0 > 1024 ? 1024 : count >>> 0 }, (_, index) => {
      const at = (address >>> 0) + index * 8;
      return this.bytes(view.getUint32(at, true), view.getUint32(at + 4, true));
    });
  }
}
