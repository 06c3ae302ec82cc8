/** Constructors of buffers, and of arrays that make one. */
export const bufferClasses =
  `ArrayBuffer BigInt64Array BigUint64Array Float16Array Float32Array Float64Array Int16Array Int32Array
  Int8Array SharedArrayBuffer Uint16Array Uint32Array Uint8Array Uint8ClampedArray`.split(/\s+/);

/**
 * Globals of a kernel: the language, and platform objects that only compute. Every other global is removed before a kernel loads, also
 * globals of future browsers.
 */
const language = `
  AggregateError Array AsyncDisposableStack Atomics BigInt Boolean DataView Date DisposableStack Error EvalError
  FinalizationRegistry Function Infinity Intl Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError
  Reflect RegExp Set String SuppressedError Symbol SyntaxError Temporal TypeError URIError WeakMap WeakRef WeakSet
  WebAssembly decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN parseFloat
  parseInt undefined unescape`;

/** The same names as in the Node client's sandbox, so that a kernel runs on both. */
const platform = `
  AbortController AbortSignal CompressionStream CustomEvent DOMException DecompressionStream Event EventTarget
  ReadableStream TextDecoder TextEncoder TransformStream URL URLSearchParams WritableStream addEventListener atob btoa
  clearInterval clearTimeout constructor dispatchEvent queueMicrotask removeEventListener self setInterval setTimeout
  structuredClone when`;

const allowed = new Set([...bufferClasses, ...`${language} ${platform}`.split(/\s+/)]);

/**
 * Removes every other property of the global object and of its prototypes, and puts the replacements there.
 * @throws Error naming a property that could not be removed: no sandbox is better than a leaky one
 */
export function removeGlobals(scope: object, replacements: Record<string, unknown>): void {
  for (let holder: unknown = scope; holder !== null && holder !== Object.prototype;)
    holder = clear(holder as object);
  const { URL } = scope as { URL: { createObjectURL?: unknown; revokeObjectURL?: unknown } };
  delete URL.createObjectURL;
  delete URL.revokeObjectURL;
  for (const [name, value] of Object.entries(replacements))
    Object.defineProperty(scope, name, { value, writable: true, configurable: true });
}

function clear(holder: object): unknown {
  for (const key of Reflect.ownKeys(holder)) {
    if (typeof key === "symbol" || allowed.has(key) || Reflect.deleteProperty(holder, key)) continue;
    // Properties that cannot be removed (TEMPORARY and PERSISTENT of an old file system interface) must be plain constants.
    const descriptor = Reflect.getOwnPropertyDescriptor(holder, key);
    if (!descriptor || !("value" in descriptor) || Object(descriptor.value) === descriptor.value)
      throw new Error(`The sandbox could not remove ${key}.`);
  }
  return Reflect.getPrototypeOf(holder);
}
