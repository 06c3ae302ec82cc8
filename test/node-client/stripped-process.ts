/** Strips its own `process`, and prints the functions that a kernel with access to it could still reach. */
import { makeProcessHarmless } from "../../node-client/sandbox/harmless-process.ts";

const line = {
  connected: true,
  channel: {},
  _handleQueue: null,
  _send: Reflect.get(process, "_send") as unknown,
  emit: () => undefined,
};
const send = process.send!.bind(line as unknown as NodeJS.Process);
const held = process;
await new Promise((resolve) => setImmediate(resolve));
const exposed: string[] = [];
process.on("unhandledRejection", function (this: unknown) {
  if (this !== undefined) exposed.push("process");
});
makeProcessHarmless(() => undefined);
held.emit("unhandledRejection", undefined, Promise.resolve());

const callable: string[] = [];
const readable: string[] = [];
for (const key of Reflect.ownKeys(held)) {
  const value: unknown = Reflect.get(held, key);
  if (typeof value === "function") callable.push(String(key));
  else if (typeof value === "object" && value !== null)
    readable.push(...Reflect.ownKeys(value).map((inner) => `${String(key)}.${String(inner)}`));
}
const replaced = ["nextTick", "emit", "_fatalException"].filter((key) =>
  Reflect.set(held, key, () => undefined),
);
const inherited = ["emit", "on", "addListener"].filter((key) =>
  Reflect.set(Object.getPrototypeOf(Object.getPrototypeOf(held)) as object, key, () => undefined),
);
send({ exposed, callable, readable, replaced, inherited });
