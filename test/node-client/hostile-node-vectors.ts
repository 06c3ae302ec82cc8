import { hostile } from "../contract/hostile-vectors.ts";
import type { KernelVector } from "../contract/kernel-vectors.ts";

/**
 * Follows every property, symbol, getter and prototype from a starting object, and reports reached objects that are not part of
 * the language: constructors and functions of Node.
 */
export const graphWalk = `
const suspects = new Set(("process EventEmitter Pipe Socket Stream Duplex Readable Writable FileHandle ContextifyScript ChildProcess " +
  "Control Worker MessagePort BroadcastChannel TCP TTY require internalBinding binding dlopen kill _kill getBuiltinModule reallyExit " +
  "send _send spawn openSync readFileSync createRequire registerHooks nextTick emit Buffer FastBuffer Timeout Immediate " +
  "AsyncResource Zlib Serializer Deserializer").split(" "));
function walk(roots) {
  const met = new Set();
  const found = new Set();
  const queue = [];
  const visit = (value) => {
    if ((typeof value !== "object" || value === null) && typeof value !== "function") return;
    if (met.has(value)) return;
    met.add(value);
    queue.push(value);
  };
  roots.forEach(visit);
  while (queue.length > 0 && met.size < 100000) {
    const at = queue.pop();
    try { if (typeof at === "function" && suspects.has(at.name)) found.add(at.name); } catch {}
    try { visit(Object.getPrototypeOf(at)); } catch {}
    let keys = [];
    try { keys = Reflect.ownKeys(at); } catch {}
    for (const key of keys) {
      let found;
      try { found = Reflect.getOwnPropertyDescriptor(at, key); } catch { continue; }
      visit(found.value); visit(found.get); visit(found.set);
      try { if (found.get) visit(Reflect.apply(found.get, at, [])); } catch {}
    }
  }
  return [...found];
}
`;

const builtins = Object.fromEntries(
  (
    "fs fs/promises child_process worker_threads net dns http https dgram tls cluster inspector module vm v8 os process " +
    "sqlite test wasi repl async_hooks perf_hooks diagnostics_channel events stream timers util sea ffi vfs"
  )
    .split(" ")
    .map((name) => [name, `Object.keys(await import("node:${name}")).length`]),
);

/** Escapes that only Node has: built-ins, `process`, the IPC channel, and objects that V8's and Node's own code leak. */
export const hostileNodeVectors: readonly KernelVector[] = [
  hostile("Node: process and require by name", {
    process: "process.pid",
    "process by Function": "Function('return process')().pid",
    "process by eval": "(0, eval)('process').pid",
    "process of a constructor's constructor": "({}).constructor.constructor('return process')().pid",
    "process of an async function's constructor":
      "(await (async () => {}).constructor('return process')()).pid",
    "process of a timer function": "setTimeout.constructor('return process')().pid",
    "process of console": "console.log.constructor('return process')().pid",
    "import.meta.resolve": "import.meta.resolve?.('node:fs')",
    global: "global.process",
    require: "require('node:fs')",
    module: "module.children",
    Buffer: "Buffer.from('x').length",
    "process.binding": "process.binding('fs')",
    getBuiltinModule: "process.getBuiltinModule('node:fs')",
    navigator: "navigator.hardwareConcurrency",
    WebSocket: "WebSocket.name",
    "performance beyond now":
      "performance.timerify ?? performance.eventLoopUtilization ?? performance.nodeTiming",
    setImmediate: "setImmediate.name",
    "a timer's object": "typeof setTimeout(() => undefined, 1) === 'object' ? 'object' : undefined",
    "a timer's this": "await new Promise((resolve) => setTimeout(function () { resolve(this); }, 1))",
    "Symbol.for nodejs": "setTimeout[Symbol.for('nodejs.util.promisify.custom')]",
  }),
  hostile("Node: built-in modules", builtins),
  {
    name: "hostile: Node: call sites (Error.prepareStackTrace) of every place that calls a kernel",
    source: `export default async (input, ctx) => {
      const reached = [];
      Error.prepareStackTrace = (_, sites) => {
        for (const site of sites) {
          const owner = site.getThis();
          if (owner !== undefined && owner !== globalThis) reached.push("this of " + site.getFunctionName() + " " + Object.prototype.toString.call(owner));
          const callee = site.getFunction();
          if (callee !== undefined && !String(callee).includes("look")) reached.push("function " + site.getFunctionName());
        }
        return "";
      };
      const look = () => void new Error("look").stack;
      look();
      await new Promise((resolve) => setTimeout(() => { look(); resolve(); }, 1));
      await Promise.resolve().then(look);
      queueMicrotask(look);
      const target = new EventTarget();
      target.addEventListener("x", look);
      target.dispatchEvent(new Event("x"));
      ctx.signal.addEventListener("abort", look);
      structuredClone({ get x() { look(); return 1; } });
      ctx.log({ toJSON() { look(); return 1; } });
      ctx.checkpoint({ get x() { look(); return 1; } });
      await new ReadableStream({ pull(c) { look(); c.close(); } }).getReader().read();
      await ctx.data({ get sha256() { look(); return "x"; }, [Symbol.for("manyhands.DataReference")]: true }).catch(look);
      [3, 1].sort(() => { look(); return 0; });
      Error.prepareStackTrace = undefined;
      return reached;
    };`,
    input: null,
    expect: { state: "done", output: [] },
  },
  {
    name: "hostile: Node: everything that hangs together with the global object and ctx",
    source: `${graphWalk}
    export default (input, ctx) => walk([globalThis, ctx, ctx.signal, new Error("x"), setTimeout(() => undefined, 1),
      new TextDecoder(), new URL("x:y"), new ReadableStream(), new CompressionStream("gzip"), new AbortController(),
      new Event("x"), new DOMException("x"), ctx.data({}).catch(() => undefined), (function* () {})(), import.meta]);`,
    input: null,
    expect: { state: "done", output: [] },
  },
  {
    name: "hostile: Node: getters and setters on the prototypes that Node's own code works with",
    source: `${graphWalk}
    export default async (input, ctx) => {
      const seen = Object.create(null);
      let count = 0;
      let looking = true;
      const see = (value) => { if (looking && count < 10000 && (typeof value === "object" && value !== null || typeof value === "function")) seen["v" + count++] = value; };
      const refused = [];
      for (const key of ["channel", "domain", "cmd", "handle", "_handle", "onread", "emit", "then", "_events", "0", "callback", "oncomplete"])
        for (const prototype of [Object.prototype, Function.prototype, Array.prototype, Promise.prototype])
          try {
            if (key in prototype && key !== "then" || prototype === Promise.prototype) continue;
            Object.defineProperty(prototype, key, { configurable: true, get() { see(this); return undefined; }, set(value) { see(this); see(value);
              Object.defineProperty(this, key, { value, writable: true, configurable: true, enumerable: true }); } });
          } catch { refused.push(key); }
      for (const [type, keys] of [[Function, ["call", "apply", "bind"]], [Map, ["get", "set", "has"]], [Set, ["add", "has"]], [Array, ["push", "shift", "pop"]], [Promise, ["then"]], [WeakMap, ["get", "set"]]])
        for (const key of keys) {
          const original = type.prototype[key];
          const { apply } = Reflect;
          type.prototype[key] = function (...parts) { see(this); for (const part of parts) see(part); return apply(original, this, parts); };
        }
      ctx.progress(0.1);
      ctx.log("x");
      await ctx.put(new Uint8Array(10)).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));
      structuredClone({ a: 1 });
      await new Promise((resolve) => setTimeout(resolve, 20));
      looking = false;
      return walk(Object.values(seen));
    };`,
    input: null,
    expect: { state: "done", output: [] },
  },
  {
    name: "hostile: Node: Object.prototype cannot be added to",
    source: `export default () => {
      const reached = [];
      for (const attempt of [
        () => { Object.prototype.polluted = 1; },
        () => Object.defineProperty(Object.prototype, "channel", { get() { return this; } }),
        () => Object.prototype.__defineGetter__("toString", () => 1),
        () => { Object.prototype.toString = () => "x"; },
        () => Object.setPrototypeOf(Object.prototype, { polluted: 1 }),
      ]) try { attempt(); reached.push(String(attempt)); } catch {}
      const own = {};
      own.toString = () => "own";
      class Named { constructor() { this.constructor = Named; this.valueOf = () => 7; } }
      return [...reached, String(own) === "own" && Number(new Named()) === 7 ? [] : "assignment is broken"].flat();
    };`,
    input: null,
    expect: { state: "done", output: [] },
  },
  {
    name: "hostile: Node: cloning an object that names an internal module",
    source: `export default () => {
      const reached = [];
      const symbol = Object.getOwnPropertySymbols(DOMException.prototype).find((s) => String(s).includes("clone"));
      for (const info of ["internal/fs/promises:FileHandle", "internal/blob:Blob", "internal/worker/io:MessagePort"])
        try {
          const bait = new DOMException("x");
          bait[symbol] = () => ({ data: { handle: { fd: 1 } }, deserializeInfo: info });
          const made = structuredClone(bait).constructor;
          if (![Object, Error, DOMException].includes(made)) reached.push(made.name);
        } catch {}
      return reached;
    };`,
    input: null,
    expect: { state: "done", output: [] },
  },
  {
    name: "hostile: Node: an exception that nobody catches",
    source: `export default () => new Promise(() => setTimeout(() => { throw new Error("thrown into the void"); }, 1));`,
    input: null,
    expect: { state: "ended", kind: "crash" },
  },
  tampering(
    "a path of comlink that leads to Function",
    `message.path = ["report", "constructor", "constructor"];
      message.argumentList = [{ type: "RAW", value: "globalThis.pwned = 1" }];`,
  ),
  tampering(
    "a path of comlink into a prototype",
    `message.type = "SET"; message.path = ["__proto__", "polluted"]; message.value = { type: "RAW", value: 1 };`,
  ),
  tampering("a constructor call", `message.type = "CONSTRUCT"; message.path = ["report", "constructor"];`),
  tampering("an endpoint", `message.type = "ENDPOINT";`),
  tampering(
    "an argument that comlink would make a proxy of",
    `message.argumentList = [{ type: "HANDLER", name: "proxy", value: {} }];`,
  ),
  tampering("a message of Node's own", `message.cmd = "NODE_HANDLE_ACK"; message.path = [];`),
];

/** A kernel that changes the runner's messages to its host and never ends, so that the host has to end the sandbox. */
function tampering(what: string, change: string): KernelVector {
  return {
    name: `hostile: Node: tampers with the channel: ${what}`,
    source: `export default async (input, ctx) => {
      const { assign } = Object;
      Object.assign = (target, ...sources) => {
        const message = assign(target, ...sources);
        if (message.type === "APPLY") { ${change} }
        return message;
      };
      ctx.log("x");
      await new Promise(() => {});
    };`,
    input: null,
    expect: { state: "ended", kind: "crash" },
  };
}
