/**
 * Protects the prototypes of Node's own objects against pollution: an accessor under a name or index that Node's code looks up
 * or sets would be called with Node's objects (the IPC channel, `process`, entries of `nextTick`'s queue). No property can be
 * added; on `Object.prototype` no property can be replaced either, while assigning `toString` and the like on other objects
 * works as usual. Loops over holey arrays, objects and properties are as fast as before.
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
      // A plain read-only property would also forbid assignments on every object that inherits it.
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
