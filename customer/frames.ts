import { frameHeadBytes } from "../shared/wire/result-pack.ts";
import { limits } from "../shared/limits.ts";

/** Cuts a stream of results into the bodies of its frames, for any size of chunks. Holds at most one frame. */
export class FrameSplitter {
  readonly #head = new Uint8Array(frameHeadBytes);
  #headBytes = 0;
  #body: Uint8Array | undefined;
  #bodyBytes = 0;

  /**
   * The frames that a chunk completes, without empty frames, which have no meaning.
   * @throws Error when a frame is too large
   */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    let at = 0;
    while (at < chunk.length) {
      if (!this.#body) {
        this.#head[this.#headBytes++] = chunk[at++]!;
        if (this.#headBytes === frameHeadBytes) this.#begin();
        continue;
      }
      // The part is copied into the frame's own buffer, because values are views of that.
      const part = chunk.subarray(at, at + this.#body.length - this.#bodyBytes);
      this.#body.set(part, this.#bodyBytes);
      this.#bodyBytes += part.length;
      at += part.length;
      if (this.#bodyBytes < this.#body.length) return;
      const body = this.#body;
      this.#body = undefined;
      yield body;
    }
  }

  #begin(): void {
    this.#headBytes = 0;
    this.#bodyBytes = 0;
    const size = new DataView(this.#head.buffer).getUint32(0);
    if (size > limits.frameBytes) throw new Error(`a frame of ${size} bytes`);
    if (size > 0) this.#body = new Uint8Array(size);
  }
}
