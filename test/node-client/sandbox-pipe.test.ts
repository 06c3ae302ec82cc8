import { spawn } from "node:child_process";
import { describe, expect, it, onTestFinished } from "vitest";
import { completed, frameEndpoint, largeBytes, type Frame } from "../../node-client/sandbox/frames.ts";
import { LargeArrays } from "../../node-client/sandbox/large-arrays.ts";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { SandboxChannel } from "../../node-client/sandbox/sandbox-channel.ts";
import type { Sandbox, SandboxHost, SandboxReport } from "../../shared/client/ports.ts";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { readReport } from "../../shared/client/sandbox/report.ts";
import { DataReference } from "../../shared/data-reference.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { encodeValue, type Value } from "../../shared/wire/codec.ts";
import { outputOf } from "../support/client-runner-harness.ts";
import { graphWalk } from "./hostile-node-vectors.ts";

const sandboxes = createProcessSandboxes();

/** Bytes of which no two neighbouring parts are alike. */
function numbered(length: number, first = 0): Uint8Array {
  return new Uint8Array(length).map((_, at) => (at + first) % 251);
}

function lengthOf(bytes: number): Uint8Array {
  return new Uint8Array(Float64Array.of(bytes).buffer);
}

interface Opened {
  readonly sandbox: Sandbox;
  /** SHA-256 of the arrays that were put, in order. */
  readonly stored: string[];
  /** Runs one task. @returns its output */
  readonly run: (input: Value) => Promise<Value>;
}

async function open(source: string, data?: SandboxHost["data"]): Promise<Opened> {
  const reports: SandboxReport[] = [];
  const stored: string[] = [];
  const host: SandboxHost = {
    data: data ?? (() => Promise.reject(new Error("no data here"))),
    put: async (bytes) => {
      const sha256 = sha256Hex(bytes);
      stored.push(sha256);
      return { sha256, size: bytes.length };
    },
    report: (report) => void reports.push(readReport(report)),
  };
  const sandbox = await sandboxes.create(host, { slot: 0, memoryMb: 256 });
  onTestFinished(() => sandbox.terminate());
  const bytes = new TextEncoder().encode(source);
  const kernelSha256 = sha256Hex(bytes);
  await sandbox.load(kernelSha256, bytes);
  return {
    sandbox,
    stored,
    async run(input) {
      const tasks = packTasks([{ index: 0, attempt: 1, input: encodeValue(input) }]);
      await sandbox.run({ kernelSha256, seed: "0", tasks });
      return outputOf(reports.flatMap(({ finished = [] }) => finished).at(-1));
    },
  };
}

describe("large arrays of a process sandbox", () => {
  it("[KERNEL-9] arrays below and above the pipe's size arrive in order, though the kernel waits for none", async () => {
    const sizes = Array.from({ length: 400 }, (_, at) => largeBytes + ((at % 5) - 2) * 30_000 + at);
    const { stored, run } = await open(
      `export default async (sizes, ctx) => {
        const put = sizes.map((size) => ctx.put(new Uint8Array(size).fill(size)));
        return (await Promise.all(put)).map(({ sha256 }) => sha256);
      }`,
    );
    const expected = sizes.map((size) => sha256Hex(new Uint8Array(size).fill(size)));
    expect(await run(sizes)).toEqual(expected);
    expect(stored).toEqual(expected);
  });

  it("[KERNEL-9] data that a kernel asks for all at once, an input and an output are what they were", async () => {
    const blobs = [100, largeBytes, 3 * 2 ** 20 + 17, largeBytes - 1].map((size) => numbered(size, size));
    const byName = new Map(blobs.map((bytes) => [sha256Hex(bytes) as string, bytes]));
    const { run } = await open(
      `export default async ({ refs, own }, ctx) => {
        const all = await Promise.all(refs.map((ref) => ctx.data(ref)));
        return { all, own, alone: [own, ...all].every(({ buffer, length }) => buffer.byteLength === length) };
      }`,
      async ({ sha256 }) => byName.get(sha256)!,
    );
    const refs = blobs.map((bytes) => new DataReference(sha256Hex(bytes), bytes.length));
    const own = numbered(2 * largeBytes);
    expect(await run({ refs, own })).toEqual({ all: blobs, own, alone: true });
  });

  it("[KERNEL-9] a sandbox ends in the middle of an array", async () => {
    const { sandbox, run } = await open(
      `export default async (ref, ctx) => { for (;;) await ctx.put(await ctx.data(ref)); }`,
      async () => numbered(64 * 2 ** 20),
    );
    const running = run(new DataReference(sha256Hex(new Uint8Array()), 1));
    setImmediate(() => sandbox.terminate());
    await expect(running).rejects.toThrow("ended");
    expect(await sandbox.ended).toEqual({ kind: "crash", reason: undefined });
  });

  it("[KERNEL-9] a kernel that replaces what arrays and calls are made of meets nothing of Node in what crosses", async () => {
    const blob = numbered(2 * largeBytes);
    const { run } = await open(
      `${graphWalk}
      export default async (ref, ctx) => {
        const seen = [];
        let looking = true;
        const { apply, ownKeys, getOwnPropertyDescriptor, defineProperty, getPrototypeOf } = Reflect;
        const see = (value) => {
          if (looking && seen.length < 20000 && (typeof value === "object" && value || typeof value === "function")) seen[seen.length] = value;
        };
        const hook = (owner, key) => {
          const found = getOwnPropertyDescriptor(owner, key);
          const hooked = (original) => original && function (...parts) {
            see(this); for (const part of parts) see(part);
            return new.target ? Reflect.construct(original, parts) : apply(original, this, parts);
          };
          try {
            defineProperty(owner, key, "value" in found ? { ...found, value: hooked(found.value) } : { ...found, get: hooked(found.get), set: hooked(found.set) });
          } catch {}
        };
        const TypedArray = getPrototypeOf(Uint8Array);
        for (const owner of [TypedArray.prototype, Uint8Array.prototype, Float64Array.prototype, ArrayBuffer.prototype, DataView.prototype, Function.prototype, Promise.prototype])
          for (const key of ownKeys(owner)) if (key !== "constructor") hook(owner, key);
        for (const name of ["min", "max"]) hook(Math, name);
        for (const name of ["isView"]) hook(ArrayBuffer, name);
        hook(Object, "entries"); hook(Array, "isArray");
        const data = await ctx.data(ref);
        await ctx.put(data);
        const liar = new Uint8Array(${2 * largeBytes});
        defineProperty(liar, "length", { value: ${3 * largeBytes} });
        defineProperty(liar, "byteLength", { get() { see(this); return 1; } });
        await ctx.put(liar).catch(see);
        looking = false;
        return walk(seen);
      };`,
      async () => blob,
    );
    const met = (await run(new DataReference(sha256Hex(blob), blob.length))) as string[];
    // Node 22 writes every frame by IPC with methods of its buffers that a kernel may replace. Their class gives access to nothing else.
    expect(met.filter((name) => name !== "Buffer" && name !== "FastBuffer")).toEqual([]);
  });

  it("[KERNEL-9] an array whose length a kernel replaced, and what only looks like an array, leave the pipe in order", async () => {
    const { stored, run } = await open(
      `export default async (size, ctx) => {
        const longer = new Uint8Array(size).fill(1);
        Object.defineProperty(longer, "length", { value: 2 * size });
        await ctx.put(longer).catch(() => undefined);
        const object = Object.create(Uint8Array.prototype, { length: { value: size } });
        await ctx.put(object).catch(() => undefined);
        await ctx.put(new Proxy(new Uint8Array(size), { get: (array, key) => key === "length" ? size : array[key] })).catch(() => undefined);
        await ctx.put(new Uint8Array(size).fill(2));
        return "still here";
      }`,
    );
    expect(await run(2 * largeBytes)).toBe("still here");
    expect(stored[0]).toBe(sha256Hex(new Uint8Array(2 * largeBytes).fill(1)));
    expect(stored.at(-1)).toBe(sha256Hex(new Uint8Array(2 * largeBytes).fill(2)));
  });
});

describe("the client's end of the channel to a process that is hostile", () => {
  const mostBytes = 8 * largeBytes;

  /** Runs code in a process, and returns its first `count` messages; fewer when the channel refuses a message, with the refusal in `what`. */
  async function talk(code: string, count = Infinity): Promise<{ what?: string; messages: unknown[] }> {
    const preamble = `import { writeSync } from "node:fs";
      const pipe = (bytes) => { for (let at = 0; at < bytes.length;) at += writeSync(4, bytes, at); };
      const length = (value) => pipe(new Uint8Array(Float64Array.of(value).buffer));
      const wait = setInterval(() => undefined, 1000);
      const array = (size) => { length(size); pipe(new Uint8Array(size)); };`;
    const child = spawn(process.execPath, ["--input-type=module", "-"], {
      stdio: ["pipe", "ignore", "inherit", "ipc", "pipe"],
      serialization: "advanced",
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    child.stdin!.end(preamble + code);
    const messages: unknown[] = [];
    const what = await new Promise<string | undefined>((resolve) => {
      const channel = new SandboxChannel(child, {
        mostBytes,
        received: (_kind, message) => {
          if (messages.push(message) >= count) resolve(undefined);
        },
        violated: (said) => {
          channel.close();
          resolve(said);
        },
      });
    });
    return { ...(what && { what }), messages };
  }

  it.each([
    ["an array larger than the sandbox's memory", `length(${mostBytes + 1});`, /too large/],
    [
      "arrays without end that no message names",
      `for (let k = 0; k < 9; k++) array(${largeBytes});`,
      /too large/,
    ],
    ["a negative length", `length(-1);`, /without a length/],
    ["a length that is no number", `length(NaN);`, /without a length/],
    ["a length beyond all memory", `length(1e300);`, /without a length/],
    ["small arrays", `length(0); length(1);`, /without a length/],
    [
      "a message with more arrays than places",
      `array(${largeBytes}); process.send(["host", {}, 1]);`,
      /places/,
    ],
    ["a message without a number of arrays", `process.send(["host", {}, "1"]);`, /number of arrays/],
    ["a message that is no frame", `process.send("host");`, /unknown/],
    [
      "messages without end behind arrays that do not come",
      `for (let k = 0; k < 5000; k++) process.send(["host", { type: "LARGE" }, 1]);`,
      /do not come/,
    ],
  ])("[KERNEL-9] takes no %s", async (_what, code, expected) => {
    const { what, messages } = await talk(code);
    expect(what).toMatch(expected);
    expect(messages).toEqual([]);
  });

  it("[KERNEL-9] delivers in order", async () => {
    const code = `
      process.send(["host", "first"]);
      array(${largeBytes});
      process.send(["host", { value: { type: "LARGE" } }, 1]);
      process.send(["host", { value: { type: "LARGE" } }, 1]);
      process.send(["host", "fourth"]);
      array(${2 * largeBytes});`;
    const [one, two] = [new Uint8Array(largeBytes), new Uint8Array(2 * largeBytes)];
    const expected = ["first", { value: one }, { value: two }, "fourth"];
    expect(await talk(code, expected.length)).toEqual({ messages: expected });
  });
});

describe("frames with large arrays", () => {
  const wire = (bytes: Uint8Array) => ({
    id: "1",
    type: "APPLY",
    path: ["report"],
    argumentList: [{ type: "RAW", value: { finished: { indexes: [0], bytes } } }],
  });

  function sent(message: unknown): { frames: Frame[]; arrays: Uint8Array[] } {
    const [frames, arrays]: [Frame[], Uint8Array[]] = [[], []];
    const sender = {
      post: (frame: Frame) => void frames.push(frame),
      sendLarge: (bytes: Uint8Array) => void arrays.push(bytes),
    };
    frameEndpoint("host", sender).endpoint.postMessage(message);
    return { frames, arrays };
  }

  it("[MEM-3] a large array leaves its message, not copied, and comes back into its place", () => {
    const message = wire(numbered(largeBytes));
    const { frames, arrays } = sent(message);
    const [frame] = frames;
    expect(arrays[0]).toBe(message.argumentList[0]!.value.finished.bytes);
    expect(frame).toMatchObject(["host", {}, 1]);
    expect(completed(frame![1], 1, () => arrays.shift()!)).toEqual(message);
  });

  it("small messages are sent as they are", () => {
    const message = wire(numbered(largeBytes - 1));
    const { frames, arrays } = sent(message);
    expect(frames).toEqual([["host", message]]);
    expect(frames[0]![1]).toBe(message);
    expect(arrays).toEqual([]);
  });

  it("arrays are whole again from parts of any size", () => {
    const wanted = [numbered(largeBytes), numbered(2 * largeBytes + 5, 7)];
    const wires = wanted.flatMap((bytes) => [lengthOf(bytes.length), bytes]);
    const stream = new Uint8Array(Buffer.concat(wires));
    for (const step of [3, 4093, stream.length]) {
      const arrays = new LargeArrays(stream.length);
      for (let at = 0; at < stream.length; at += step) arrays.push(stream.subarray(at, at + step));
      expect(arrays.count).toBe(2);
      for (const bytes of wanted) expect(sha256Hex(arrays.take())).toBe(sha256Hex(bytes));
    }
  });
});
