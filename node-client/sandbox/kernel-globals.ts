import type { KernelTimers } from "../../shared/client/sandbox/kernel-timers.ts";

/**
 * Globals of a kernel: the language, and harmless platform objects that a browser's worker has too. The list names the globals
 * that stay, so that a new global of a later Node is removed until it has been reviewed.
 */
const language = words(`
  Object Function Array Number Boolean String Symbol BigInt Date RegExp Error AggregateError EvalError
  RangeError ReferenceError SyntaxError TypeError URIError SuppressedError Promise Proxy Reflect JSON
  Math Intl Temporal Map Set WeakMap WeakSet WeakRef FinalizationRegistry Iterator DisposableStack
  AsyncDisposableStack ArrayBuffer SharedArrayBuffer Atomics DataView Int8Array Uint8Array
  Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float16Array Float32Array
  Float64Array BigInt64Array BigUint64Array WebAssembly globalThis Infinity NaN undefined eval
  isFinite isNaN parseFloat parseInt decodeURI decodeURIComponent encodeURI encodeURIComponent escape
  unescape`);

/**
 * MessageChannel, Blob and other cloneable classes are left out: Node clones their objects by loading an internal module that
 * the object names, which gave a test kernel `FileHandle` and `EventEmitter`.
 */
const platform = words(`
  AbortController AbortSignal Event EventTarget CustomEvent DOMException TextEncoder TextDecoder URL
  URLSearchParams atob btoa queueMicrotask ReadableStream WritableStream TransformStream
  CompressionStream DecompressionStream`);

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

const kept = new Set<PropertyKey>([...language, ...platform, Symbol.toStringTag]);

/** Output of `console`, which goes to the log of the running task. */
export interface ConsoleSink {
  readonly log: (...parts: unknown[]) => void;
}

/** Removes globals, then adds harmless replacements that kernels may expect. */
export function stripGlobals(replacements: Record<string, unknown>): void {
  // Node makes several globals on first use, from parts of Node that are disabled later, so they are used once here.
  for (const name of platform) void (globalThis as Record<string, unknown>)[name];
  void new CompressionStream("gzip");
  for (const key of Reflect.ownKeys(globalThis)) if (!kept.has(key)) Reflect.deleteProperty(globalThis, key);
  for (const [name, value] of Object.entries(replacements))
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  const statics = globalThis as unknown as Record<string, object>;
  for (const name of ["createObjectURL", "revokeObjectURL"]) Reflect.deleteProperty(statics["URL"]!, name);
  for (const name of ["compileStreaming", "instantiateStreaming"])
    Reflect.deleteProperty(statics["WebAssembly"]!, name);
  const left = Reflect.ownKeys(globalThis).filter((key) => !kept.has(key) && !(String(key) in replacements));
  if (left.length > 0) throw new Error(`These globals could not be removed: ${left.map(String).join(", ")}.`);
}

/** Harmless replacements, made of captured functions. */
export function makeReplacements(sink: ConsoleSink, timers: KernelTimers): Record<string, unknown> {
  return {
    self: globalThis,
    ...timers.globals,
    console: quietConsole(sink),
    performance: Object.freeze({
      now: performance.now.bind(performance),
      timeOrigin: performance.timeOrigin,
    }),
    crypto: Object.freeze({
      getRandomValues: crypto.getRandomValues.bind(crypto),
      randomUUID: crypto.randomUUID.bind(crypto),
    }),
  };
}

function quietConsole({ log: write }: ConsoleSink): object {
  const log = (...parts: unknown[]): void => write(...parts);
  const nothing = (): void => undefined;
  const methods = (names: string, method: () => void) => words(names).map((name) => [name, method]);
  return Object.fromEntries([
    ...methods("log info warn error debug trace", log),
    ...methods("assert dir table group groupEnd count time timeEnd timeLog", nothing),
  ]) as object;
}
