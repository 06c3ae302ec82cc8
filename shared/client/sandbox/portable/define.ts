/** Replaces a global, or a method of a global, by a value that a kernel may replace again. */
export function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
}

/** A function that throws, and names the kernel's alternative. */
export function refuseFor(name: string, instead: string): () => never {
  return () => {
    throw new Error(
      `${name} is not the same on every machine; expected ${instead}, or a job with math: "native".`,
    );
  };
}
