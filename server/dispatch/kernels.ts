import { LRUCache } from "lru-cache";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { leasedKernelBytes } from "../../shared/wire/protocol.ts";
import type { Store } from "../store/store.ts";

/** Small kernels in memory, at most 4 MiB of them. */
const remembered = 256;

/** The code of tasks, named by its hash. */
export class Kernels {
  readonly #store: Store;
  readonly #small = new LRUCache<Sha256, Uint8Array>({ max: remembered });

  constructor(store: Store) {
    this.#store = store;
  }

  /** Gives a customer a kernel. @throws PlatformError TOO_LARGE, QUOTA_EXCEEDED */
  async put(source: Uint8Array, customer: string): Promise<BlobName & { created: boolean }> {
    if (source.length > limits.kernelBytes)
      throw new PlatformError(
        "TOO_LARGE",
        `A kernel of ${source.length} bytes; at most ${limits.kernelBytes} are taken.`,
      );
    const sha256 = sha256Hex(source);
    const created = await this.#store.putKernel(sha256, source, customer);
    this.#remember(sha256, source);
    return { sha256, size: source.length, created };
  }

  async get(sha256: Sha256, customer?: string): Promise<Uint8Array | undefined> {
    const source = await this.#store.getKernel(sha256, customer);
    if (source) this.#remember(sha256, source);
    return source;
  }

  /** The source of a small kernel that was made, or read, lately. */
  small(sha256: Sha256): Uint8Array | undefined {
    return this.#small.get(sha256);
  }

  #remember(sha256: Sha256, source: Uint8Array): void {
    if (source.length <= leasedKernelBytes) this.#small.set(sha256, source);
  }

  list(customer?: string): Promise<BlobName[]> {
    return this.#store.listKernels(customer);
  }

  delete(sha256: Sha256, customer?: string): Promise<boolean> {
    return this.#store.deleteKernel(sha256, customer);
  }

  /** Removes kernels that no job refers to and that were last used before `before` (ms since the epoch). @returns their number */
  async collect(before: number): Promise<number> {
    let removed = 0;
    for (let some = -1; some !== 0; removed += some) some = await this.#store.collectKernels(before);
    return removed;
  }

  /** The source of a customer's kernel, for a job that is to run it. @throws PlatformError UNKNOWN_KERNEL */
  async require(sha256: Sha256, customer: string): Promise<Uint8Array> {
    const source = await this.get(sha256, customer);
    if (!source)
      throw new PlatformError(
        "UNKNOWN_KERNEL",
        `Customer "${customer}" has posted no kernel ${sha256} here.`,
      );
    return source;
  }
}
