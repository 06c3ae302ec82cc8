import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { Store } from "../store/store.ts";

/** The code of tasks, named by its hash. */
export class Kernels {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** @throws PlatformError TOO_LARGE */
  async put(source: Uint8Array): Promise<BlobName & { created: boolean }> {
    if (source.length > limits.kernelBytes)
      throw new PlatformError(
        "TOO_LARGE",
        `A kernel of ${source.length} bytes; at most ${limits.kernelBytes} are taken.`,
      );
    const sha256 = sha256Hex(source);
    const created = (await this.#store.getKernel(sha256)) === undefined;
    if (created) await this.#store.putKernel(sha256, source);
    return { sha256, size: source.length, created };
  }

  get(sha256: Sha256): Promise<Uint8Array | undefined> {
    return this.#store.getKernel(sha256);
  }

  list(): Promise<BlobName[]> {
    return this.#store.listKernels();
  }

  /** The name of a stored kernel, for a job that is to run it. @throws PlatformError UNKNOWN_KERNEL */
  async require(sha256: Sha256): Promise<BlobName> {
    const source = await this.#store.getKernel(sha256);
    if (!source) throw new PlatformError("UNKNOWN_KERNEL", `No kernel ${sha256} has been posted here.`);
    return { sha256, size: source.length };
  }
}
