import { EventEmitter } from "node:events";
import process from "node:process";

/** Properties of `process` that Node's own code uses while a kernel runs; none of them gives access to anything. */
const needed = new Set<PropertyKey>(
  [
    "nextTick emit emitWarning _fatalException _exiting exitCode domain _events _eventsCount _maxListeners",
    "connected _handleQueue _pendingMessage platform arch version versions",
    // Node does not let these properties be removed. They are constants, and `permission`, which can only drop permissions.
    "features argv0 permission",
  ].flatMap((line) => line.split(" ")),
);

/**
 * Removes all properties of `process` that act on the world (`kill`, `binding`, `dlopen`, `getBuiltinModule`, `env`, `send` …),
 * so that a kernel that gets hold of it by an unforeseen way has an empty shell.
 *
 * @param die - ends the process; called when the parent is gone
 */
export function makeProcessHarmless(die: () => void): void {
  const replacements: Record<string, unknown> = {
    emit: emitToPresentListeners(),
    emitWarning: () => undefined,
    disconnect: die,
    // Node's code only checks whether the property exists; the channel itself stays in Node and in the captured `send`.
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

/**
 * An `emit` for the listeners that `process` has by now. Node's own may call them with `Function.prototype.apply` (Node 24), which a
 * kernel may replace and would get `process` from.
 */
function emitToPresentListeners(): (name: string, ...parts: unknown[]) => boolean {
  const { apply } = Reflect;
  const listeners = { __proto__: null } as unknown as Record<PropertyKey, (...parts: unknown[]) => unknown>;
  for (const name of process.eventNames()) {
    const [listener] = process.listeners(name as "exit");
    if (listener) listeners[name] = listener as (...parts: unknown[]) => unknown;
  }
  return (name, ...parts) => {
    const listener = listeners[name];
    if (!listener) return false;
    apply(listener, undefined, parts);
    return true;
  };
}

/**
 * Methods of emitters often have `process` as `this`, so they must not be replaced. The data properties of the prototypes are
 * defaults of every emitter.
 */
function lockMethods(prototype: object): void {
  for (const key of Reflect.ownKeys(prototype))
    if (typeof Reflect.get(prototype, key) === "function")
      Object.defineProperty(prototype, key, { writable: false, configurable: false });
  Object.preventExtensions(prototype);
}
