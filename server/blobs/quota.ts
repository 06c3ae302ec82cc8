import { PlatformError } from "../../shared/errors.ts";

/** Reserves bytes for uploads under way, so that several at once do not overrun the quota together. */
export class Quota {
  readonly #quotaBytes: number;
  #reservedBytes = 0;

  constructor(quotaBytes: number) {
    this.#quotaBytes = quotaBytes;
  }

  /** @throws PlatformError STORE_FULL when the stored bytes and every reservation together exceed the quota */
  reserve(bytes: number, storedBytes: number): void {
    if (storedBytes + this.#reservedBytes + bytes > this.#quotaBytes)
      throw new PlatformError(
        "STORE_FULL",
        `No room for ${bytes} more bytes: ${storedBytes} bytes of blobs are stored and ${this.#reservedBytes} are on their way, of ${this.#quotaBytes} allowed.`,
      );
    this.#reservedBytes += bytes;
  }

  release(bytes: number): void {
    this.#reservedBytes -= bytes;
  }
}
