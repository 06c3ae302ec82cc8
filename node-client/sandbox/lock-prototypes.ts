/**
 * Closes the prototypes that every object of Node's own code inherits from against pollution: an accessor put there under a
 * name or index that this code looks up or sets for the first time is called with its objects (the IPC channel, `process`,
 * what waits in `nextTick`'s queue). Nothing can be added; on `Object.prototype` nothing can be replaced either, while
 * assigning `toString` and the like on other objects works as ever.
 * Measured on loops over holey arrays, objects and properties: no difference above the noise.
 */
export function lockPrototypes(): void {
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
  for (const closed of [prototype, Array.prototype, Function.prototype]) preventExtensions(closed);
}
