import { bufferClasses } from "./allowed-globals.ts";

/** Smaller buffers are not counted: counting them costs more than it tells. */
const leastBytes = 2 ** 20;

interface Counted {
  bytes: number;
  /** Number of probes that were made before. */
  readonly round: number;
}

/** Counts objects with memory of their own that the meter does not see by itself. */
export interface MemoryMeter {
  /** @returns a function to be called when the memory is given back before the object is collected; nothing for small objects */
  count(object: object, bytes: number): (() => void) | undefined;
}

/**
 * Counts the buffers that a kernel makes and holds (SPEC.md [KERNEL-7]). Browsers tell a worker's memory to nobody, so the constructors of
 * buffers become proxies that count, and the getter that every use of a WebAssembly memory calls looks at its size. One buffer or
 * memory beyond the limit is told at once. Of many buffers some may be garbage: when their sum is beyond the limit, an object that
 * nothing holds, the probe, is left to the collector. The buffers that are older than a collected probe and still there were all held
 * when it was collected.
 *
 * @param outgrew - called with the bytes held, when they are more than `limitBytes`
 */
export function meterMemory(limitBytes: number, outgrew: (bytes: number) => void): MemoryMeter {
  const free = (counted: Counted): void => {
    if (counted === probe) later(judge);
    held -= counted.bytes;
    if (counted.round === round) young -= counted.bytes;
    counted.bytes = 0;
  };
  const collected = new FinalizationRegistry<Counted>(free);
  // The functions are taken or bound here, because a kernel may replace them later.
  const later = setTimeout;
  const register = collected.register.bind(collected);
  const { apply, construct } = Reflect;
  let held = 0;
  /** Of these, bytes counted since the last probe. */
  let young = 0;
  let round = 0;
  let probe: Counted | undefined;

  const judge = (): void => {
    probe = undefined;
    check(held - young);
  };
  const check = (bytes: number): void => {
    if (bytes > limitBytes) outgrew(bytes);
  };
  const count = (object: object, bytes: number): (() => void) | undefined => {
    if (bytes < leastBytes) return;
    check(bytes);
    const counted = { bytes, round };
    register(object, counted);
    held += bytes;
    young += bytes;
    if (!probe && held > limitBytes) {
      young = 0;
      register({}, (probe = { bytes: 0, round: ++round }));
    }
    return () => free(counted);
  };

  const scope = globalThis as unknown as Record<string, new () => { buffer?: ArrayBufferLike }>;
  for (const name of bufferClasses) {
    const native = scope[name];
    // SharedArrayBuffer is missing in some pages, Float16Array in some browsers.
    if (!native) continue;
    const counting: typeof native = new Proxy(native, {
      construct(_native, given, made) {
        const object = construct(native, given, made === counting ? native : made);
        const buffer = object.buffer ?? (object as ArrayBuffer);
        // A view of a buffer that is there already adds nothing.
        if (buffer !== given[0]) count(buffer, buffer.byteLength);
        return object;
      },
    });
    scope[name] = counting;
    (native.prototype as object).constructor = counting;
  }

  const { prototype } = WebAssembly.Memory;
  const { get: bufferOf } = Object.getOwnPropertyDescriptor(prototype, "buffer") as {
    get: (this: unknown) => ArrayBufferLike;
  };
  Object.defineProperty(prototype, "buffer", {
    get(this: object) {
      const buffer = apply(bufferOf, this, []);
      check(buffer.byteLength);
      return buffer;
    },
  });
  return { count };
}
