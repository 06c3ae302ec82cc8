/** Smaller frames cost more time than their bytes. */
const leastBytes = 8 * 1024;
/** The server inflates no larger ones. */
const mostBytes = 1024 * 1024;
/** First byte of a zlib stream (RFC 1950). A frame in MessagePack begins with the head of an array instead. */
const zlibHead = 0x78;

type Bytes = Uint8Array<ArrayBuffer>;

/** Passes frames on in their order, some of them compressed or decompressed on the way (SPEC.md [MILES-7]). */
export class FrameQueue {
  #last: Promise<void> | undefined;
  /** Bytes of frames that were not passed on yet. */
  waitingBytes = 0;

  /** Compresses frames of a size worth it while the network is behind. */
  deflate(frame: Bytes, isBehind: boolean, pass: (frame: Bytes) => void): void {
    const pays = isBehind && frame.length >= leastBytes && frame.length <= mostBytes;
    this.#pass(frame, pays && new CompressionStream("deflate"), pass);
  }

  inflate(frame: Bytes, pass: (frame: Bytes) => void): void {
    this.#pass(frame, frame[0] === zlibHead && new DecompressionStream("deflate"), pass);
  }

  #pass(frame: Bytes, stream: GenericTransformStream | false, pass: (frame: Bytes) => void): void {
    if (!stream && !this.#last) return pass(frame);
    this.waitingBytes += frame.length;
    const last = Promise.all([stream ? changed(frame, stream) : frame, this.#last]).then(([bytes]) => {
      this.waitingBytes -= frame.length;
      if (this.#last === last) this.#last = undefined;
      pass(bytes);
    });
    this.#last = last;
  }
}

/** A damaged frame stays as it is, and is refused for that. */
function changed(frame: Bytes, stream: GenericTransformStream): Promise<Bytes> {
  return new Response(new Blob([frame]).stream().pipeThrough(stream)).arrayBuffer().then(
    (buffer) => new Uint8Array(buffer),
    () => frame,
  );
}
