/**
 * Closes `Object.prototype` against pollution: a getter put there under a name that Node's own code looks up and does not
 * find is called with Node's objects as `this` (the IPC channel, `process`). Nothing can be added, and what is there
 * cannot be replaced; assigning `toString` and the like on other objects works as ever.
 * Measured on array, object and property-access loops: no difference above the noise.
 */
export function lockObjectPrototype(): void {
  const { prototype, defineProperty, preventExtensions } = Object;
  for (const key of Reflect.ownKeys(prototype)) {
    const found = Reflect.getOwnPropertyDescriptor(prototype, key);
    if (!found) continue;
    if (!("value" in found)) {
      defineProperty(prototype, key, { configurable: false });
      continue;
    }
    const value: unknown = found.value;
    defineProperty(prototype, key, {
      configurable: false,
      enumerable: false,
      get: () => value,
      // A plain read-only property would also forbid assigning it on every object that inherits it.
      set(this: unknown, own: unknown) {
        if (this === prototype) throw new TypeError(`Object.prototype.${String(key)} is locked.`);
        defineProperty(this as object, key, {
          value: own,
          writable: true,
          enumerable: true,
          configurable: true,
        });
      },
    });
  }
  preventExtensions(prototype);
}
