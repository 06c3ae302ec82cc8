import { EventEmitter } from "node:events";
import process from "node:process";

/** What Node's own code still looks up on `process` while a kernel runs; none of it reaches anything. */
const needed = new Set<PropertyKey>(
  [
    "nextTick emit emitWarning _fatalException _exiting exitCode domain _events _eventsCount _maxListeners",
    "connected _handleQueue _pendingMessage platform arch version versions",
    // Node does not let these be removed: constants, and `permission`, which can only give up more.
    "features argv0 permission",
  ].flatMap((line) => line.split(" ")),
);

/**
 * Takes from `process` all that acts on the world (`kill`, `binding`, `dlopen`, `getBuiltinModule`, `env`, `send` …), so
 * that a kernel that gets hold of it by a way nobody thought of holds an empty shell.
 *
 * @param die - ends the process; called when the parent is gone
 */
export function makeProcessHarmless(die: () => void): void {
  const replacements: Record<string, unknown> = {
    emit: Reflect.get(process, "emit"),
    emitWarning: () => undefined,
    disconnect: die,
    // Only looked at for being there; the channel itself stays with Node and with who captured `send`.
    channel: Object.freeze({ __proto__: null }),
    env: Object.freeze({ __proto__: null }),
    versions: Object.freeze({ ...process.versions }),
  };
  for (const key of Reflect.ownKeys(process)) {
    const internalSymbol = typeof key === "symbol" && !String(key).includes("kChannelHandle");
    if (needed.has(key) || internalSymbol || key in replacements) continue;
    if (!Reflect.deleteProperty(process, key))
      throw new Error(`process.${String(key)} could not be removed.`);
  }
  for (const [key, value] of Object.entries(replacements))
    Object.defineProperty(process, key, { value, enumerable: false, writable: false, configurable: false });
  for (const key of ["nextTick", "_fatalException"])
    Object.defineProperty(process, key, { writable: false, configurable: false });
  lockMethods(EventEmitter.prototype);
  Object.freeze(Object.getPrototypeOf(process));
  Object.preventExtensions(process);
}

/** `this` of an emitter's method is often `process`: nobody replaces these. Its data properties are every emitter's defaults. */
function lockMethods(prototype: object): void {
  for (const key of Reflect.ownKeys(prototype))
    if (typeof Reflect.get(prototype, key) === "function")
      Object.defineProperty(prototype, key, { writable: false, configurable: false });
  Object.preventExtensions(prototype);
}
