import { encodeValue, decodeValue, type Value } from "../../shared/wire/codec.ts";
import type { BlobCache, Sandbox, SandboxHost, SandboxReport } from "../../shared/client/ports.ts";
import type { FinishedTask } from "../../shared/client/sandbox-task.ts";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { readReport } from "../../shared/client/sandbox/report.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { measuredTimes } from "../contract/measured-time.ts";
import { readsFrom, type Origin } from "../contract/cached-reads.ts";
import { openBlobCache, type PageCache } from "../../web-client/client/blob-cache.ts";
import { createFrameSandboxes } from "../../web-client/client/frame-sandboxes.ts";
import { hashBytes } from "../../web-client/client/hash-bytes.ts";
import { createOutbox } from "../../web-client/client/outbox.ts";
import { SandboxFrame } from "../../web-client/client/sandbox-frame.ts";
import { openStores } from "../../web-client/client/stores.ts";
import { joinElection } from "../../web-client/client/election.ts";
import type { Identity } from "../../shared/wire/identity.ts";
import { openIdentity } from "../../web-client/client/identity.ts";

/** Parts of the page, for tests to call: text and numbers in, JSON out. */
let pageCache: PageCache | undefined;
const sandboxes = createFrameSandboxes(() => pageCache);
const made = new Map<number, { sandbox: Sandbox; reports: SandboxReport[]; ended?: unknown }>();
const blob = new TextEncoder().encode("0123456789");
const nameOf = (text: string): Promise<Sha256> => hashBytes(new TextEncoder().encode(text));

let precacheSpace: BlobCache | undefined;

/** A kernel vector (test/contract/kernel-vectors.ts) with values encoded as base64. */
interface VectorRequest {
  readonly source: string;
  readonly input: string;
  readonly resume?: string;
  readonly blobs: readonly string[];
  /** Server of the blobs, which come through the client core and the browser's cache; absent: `blobs` are read from memory. */
  readonly origin?: Origin;
  /** A kernel counts as hanging after this long without a result. */
  readonly silentMs: number;
  /** The sandbox is one of those whose kernels have WebGPU. */
  readonly webgpu?: boolean;
}

const toBytes = (text: string): Uint8Array => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const toText = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

/** Runs a vector in a sandbox of its own, and returns the reports of the sandbox. */
async function runVector(request: VectorRequest): Promise<Record<string, unknown>> {
  const blobs = new Map<string, Uint8Array>();
  for (const text of request.blobs) blobs.set(await hashBytes(toBytes(text)), toBytes(text));
  const reports: SandboxReport[] = [];
  pageCache = request.origin && (await openBlobCache(await openStores()));
  const read = pageCache && (await readsFrom(request.origin!, pageCache, [...blobs.values()], hashBytes));
  const sandbox = await sandboxes.create(
    {
      data: async ({ sha256, size }, range) => {
        if (read) return read({ sha256, size }, range);
        const bytes = blobs.get(sha256);
        if (!bytes) throw new Error(`Blob ${sha256} does not exist.`);
        return bytes.slice(...(range ?? []));
      },
      put: async (bytes) => {
        const sha256 = await hashBytes(bytes);
        // The page's sandboxes take the bytes back.
        blobs.set(sha256, bytes.slice());
        return { sha256, size: bytes.length };
      },
      report: (report) => void reports.push(readReport(report)),
    },
    { slot: 0, memoryMb: 512, webgpu: request.webgpu ?? false },
  );
  try {
    const outcome = await outcomeOf(sandbox, request, reports);
    const log = reports.flatMap((report) => report.log?.lines ?? []);
    const progress = reports.findLast((report) => report.progress)?.progress?.fraction;
    const checkpoint = reports.findLast((report) => report.checkpoint)?.checkpoint?.state;
    return { ...outcome, log, progress, ...(checkpoint && { checkpoint: toText(checkpoint) }) };
  } finally {
    sandbox.terminate();
    await sandbox.ended;
  }
}

async function outcomeOf(
  sandbox: Sandbox,
  request: VectorRequest,
  reports: readonly SandboxReport[],
): Promise<Record<string, unknown>> {
  const kernelSha256 = await nameOf(request.source);
  try {
    await sandbox.load(kernelSha256, new TextEncoder().encode(request.source));
  } catch (error) {
    return { state: "unloadable", message: error instanceof Error ? error.message : String(error) };
  }
  const task = {
    index: 0,
    attempt: 1,
    input: toBytes(request.input),
    ...(request.resume && { resume: toBytes(request.resume) }),
  };
  const ran = sandbox.run({ kernelSha256, seed: "seed", tasks: packTasks([task]) });
  const over = ran.then(
    () => "ran" as const,
    (error: Error) => ({ kind: "crash", reason: error.message }),
  );
  const silence = new Promise<"hangs">((resolve) => setTimeout(() => resolve("hangs"), request.silentMs));
  const first = await Promise.race([over, sandbox.ended, silence]);
  if (first === "hangs") return { state: "hangs" };
  if (first !== "ran") return { state: "ended", kind: first.kind, message: first.reason };
  const outcome = reports.flatMap(({ finished }) => finished ?? [])[0]?.outcome;
  if (outcome?.state === "done") return { state: "done", output: toText(outcome.output) };
  return { state: "failed", ...outcome?.failure };
}

/** A file that its disk has not got any more. */
async function goneFile(): Promise<File> {
  const root = await navigator.storage.getDirectory();
  const handle = await root.getFileHandle("gone", { create: true });
  const write = async (text: string): Promise<void> => {
    const writing = await handle.createWritable();
    await writing.write(text);
    await writing.close();
  };
  await write("some bytes");
  const file = await handle.getFile();
  await write("others");
  return file;
}

const harness = {
  vector: runVector,

  /**
   * Reads a blob of a megabyte twice in a kernel, whole and in part, through a cache that has it, in which it is gone, or without one.
   * @returns the kernel's output and the reads that came to the page
   */
  async readLarge(from: "stored" | "gone" | "nowhere"): Promise<unknown> {
    const bytes = new Uint8Array(2 ** 20).map((_, i) => i % 251);
    const name = { sha256: await hashBytes(bytes), size: bytes.length };
    const cache = await openBlobCache(await openStores());
    if (from === "stored") await cache.put(name.sha256, bytes);
    const gone = from === "gone" && (await goneFile());
    pageCache = gone ? { ...cache, isNear: () => true, stored: async () => gone } : cache;
    const seen: unknown[] = [];
    const data: SandboxHost["data"] = async (_, range) => {
      seen.push(range ?? "all");
      return range ? bytes.slice(...range) : bytes;
    };
    const put = async () => name;
    const reports: SandboxReport[] = [];
    const report = (made: unknown) => void reports.push(readReport(made));
    const sandbox = await sandboxes.create({ data, put, report }, { slot: 0, memoryMb: 512, webgpu: false });
    const source = `export default async (_, ctx) => {
      const ref = await ctx.put(new Uint8Array(1));
      const [one, two, part] = [await ctx.data(ref), await ctx.data(ref), await ctx.data(ref.slice(250, 253))];
      one.fill(0);
      return [two.length, two.reduce((sum, value, i) => sum + (value === i % 251 ? 1 : 0), 0), [...part]];
    }`;
    const kernelSha256 = await nameOf(source);
    await sandbox.load(kernelSha256, new TextEncoder().encode(source));
    await sandbox.run({
      kernelSha256,
      seed: "seed",
      tasks: packTasks([{ index: 0, attempt: 1, input: encodeValue(null) }]),
    });
    sandbox.terminate();
    pageCache = undefined;
    const outcome = reports.flatMap(({ finished }) => finished ?? [])[0]?.outcome;
    return { output: outcome?.state === "done" ? decodeValue(outcome.output) : outcome, seen };
  },

  secure: () => ({
    secure: isSecureContext,
    subtle: (crypto.subtle as unknown) !== undefined,
    locks: (navigator.locks as unknown) !== undefined,
  }),

  /** Makes a sandbox and loads a kernel; returns its number. */
  async load(source: string, { portable = false, memoryMb = 512, webgpu = false } = {}): Promise<number> {
    const reports: SandboxReport[] = [];
    const sandbox = await sandboxes.create(
      {
        // A blob without bytes never arrives.
        data: async ({ size }, range) =>
          size === 0 ? new Promise(() => undefined) : range ? blob.slice(...range) : blob.slice(),
        put: async (bytes) => ({ sha256: await hashBytes(bytes), size: bytes.length }),
        report: (report) => void reports.push(readReport(report)),
      },
      { slot: 0, memoryMb, webgpu },
    );
    const id = made.size;
    const entry: { sandbox: Sandbox; reports: SandboxReport[]; ended?: unknown } = { sandbox, reports };
    made.set(id, entry);
    void sandbox.ended.then((ended) => (entry.ended = ended));
    await sandbox.load(await nameOf(source), new TextEncoder().encode(source), portable);
    return id;
  },

  /** Runs a task for each value, and returns the report of each. */
  async run(id: number, source: string, inputs: Value[]): Promise<unknown[]> {
    const { sandbox, reports } = made.get(id)!;
    reports.length = 0;
    const tasks = inputs.map((input, index) => ({ index, attempt: 1, input: encodeValue(input) }));
    await sandbox.run({ kernelSha256: await nameOf(source), seed: "seed", tasks: packTasks(tasks) });
    return reports.flatMap(({ finished }) => finished ?? []).map(describe);
  },

  /** Loads a kernel, runs one task, and terminates the sandbox. */
  async once(source: string, input: Value = null, portable = false, webgpu = false): Promise<unknown> {
    const id = await harness.load(source, { portable, webgpu });
    const [outcome] = await harness.run(id, source, [input]);
    made.get(id)!.sandbox.terminate();
    return outcome;
  },

  /** Starts a task and does not wait. */
  async begin(id: number, source: string): Promise<void> {
    const { sandbox } = made.get(id)!;
    const bundle = {
      kernelSha256: await nameOf(source),
      seed: "",
      tasks: packTasks([{ index: 0, attempt: 1, input: encodeValue(null) }]),
    };
    sandbox.run(bundle).catch(() => undefined);
  },

  /** The error of a call that is under way while the sandbox is terminated, and how long the error took. */
  async terminate(id: number): Promise<{ ended: unknown; rejection: string; ms: number }> {
    const { sandbox } = made.get(id)!;
    const pending = sandbox.run({ kernelSha256: "" as Sha256, seed: "", tasks: packTasks([]) });
    const startedAt = performance.now();
    sandbox.terminate();
    const rejection = await pending.then(
      () => "none",
      (error: Error) => error.message,
    );
    return { ended: await sandbox.ended, rejection, ms: performance.now() - startedAt };
  },

  /** Escapes of code in a data: worker before the sandbox removes its globals; no kernel runs there. */
  async beforeRemoval(target: string): Promise<string[]> {
    const code = `(() => {
      const attempts = {
        fetch: () => fetch("${target}/fetch", { mode: "no-cors" }),
        xhr: () => { const x = new XMLHttpRequest(); x.open("GET", "${target}/xhr", false); x.send(); },
        socket: () => new Promise((open, failed) => {
          const s = new WebSocket("${target}".replace("http", "ws")); s.onopen = open; s.onerror = () => failed();
        }),
        events: () => new Promise((open, failed) => {
          const s = new EventSource("${target}/events"); s.onopen = open; s.onerror = () => failed();
        }),
        script: () => importScripts("${target}/script.js"),
        module: () => import("${target}/module.js"),
        dataModule: () => import("data:text/javascript,export default 1"),
        database: () => new Promise((open, failed) => {
          const r = indexedDB.open("x"); r.onsuccess = open; r.onerror = () => failed();
        }),
        caches: () => caches.open("x"),
        directory: () => navigator.storage.getDirectory(),
      };
      const patience = (promise) => Promise.race([promise, new Promise((_, failed) => setTimeout(failed, 1500))]);
      Promise.all(Object.entries(attempts).map(async ([name, attempt]) => {
        try { await patience(attempt()); return name; } catch { return ""; }
      })).then((reached) => setTimeout(() => { throw new Error("reached<" + reached.filter(Boolean) + ">"); }));
      return () => ({});
    })()`;
    const frame = await SandboxFrame.open("sandbox.html");
    const { port2 } = new MessageChannel();
    const reason = await new Promise<string>((died) =>
      frame.spawn(port2, { memoryMb: 512, webgpu: code }, died),
    );
    frame.close("");
    const reached = /reached<(.*)>/.exec(reason)?.[1];
    if (reached === undefined) throw new Error(reason);
    return reached.split(",").filter(Boolean);
  },

  measuredTimes: (thief: string, count: number) => measuredTimes(sandboxes, thief, count),

  ended: (id: number) => made.get(id)!.ended ?? null,
  reports: (id: number) => made.get(id)!.reports.map(({ finished: _finished, ...rest }) => rest),

  async cachePut(text: string, quotaBytes?: number): Promise<void> {
    const cache = await openBlobCache(await openStores(), quotaBytes === undefined ? {} : { quotaBytes });
    await cache.put(await nameOf(text), new TextEncoder().encode(text));
  },
  async cacheGet(text: string): Promise<string | null> {
    const cache = await openBlobCache(await openStores());
    const bytes = await cache.get(await nameOf(text));
    return bytes ? new TextDecoder().decode(bytes) : null;
  },
  /** Puts texts one after the other under a quota, reads `used` in between, and returns the remaining ones. */
  async cacheFill(texts: string[], quotaBytes: number, used?: string): Promise<string[]> {
    const cache = await openBlobCache(await openStores(), { quotaBytes });
    for (const text of texts) {
      if (used !== undefined) await cache.get(await nameOf(used));
      await cache.put(await nameOf(text), new TextEncoder().encode(text));
      // Times of use are whole milliseconds.
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    const names = await Promise.all(texts.map(nameOf));
    const held = await cache.list();
    return texts.filter((_, i) => held.includes(names[i] ?? ("" as Sha256)));
  },
  /** Calls of test/contract/precache-space.ts on one cache; blobs are texts that repeat their name. */
  async cacheAhead(calls: [string, ...unknown[]], quotaBytes: number): Promise<string[]> {
    const text = (name: string, bytes: number): Uint8Array<ArrayBuffer> =>
      new TextEncoder().encode(name.repeat(Math.ceil(bytes / name.length)).slice(0, bytes));
    precacheSpace ??= await openBlobCache(await openStores(), { quotaBytes });
    const cache = precacheSpace;
    const [verb, ...given] = calls;
    const name = async (of: string): Promise<Sha256> => nameOf(of);
    if (verb === "touch" || verb === "held") {
      const here: string[] = [];
      for (const one of given[0] as string[])
        if (
          verb === "touch"
            ? (await cache.precache?.touch([await name(one)]))?.length
            : await cache.get(await name(one))
        )
          here.push(one);
      return here;
    }
    const [of, bytes, keep = []] = given as [string, number, string[]?];
    const kept = new Set(await Promise.all(keep.map(name)));
    await (verb === "put"
      ? cache.put(await name(of), text(of, bytes))
      : cache.precache?.put(await name(of), text(of, bytes), kept));
    // Times of use are whole milliseconds.
    const now = Date.now();
    while (Date.now() === now);
    return [];
  },
  /** Watches changes that another tab makes. */
  async cacheWatch(): Promise<void> {
    const cache = await openBlobCache(await openStores(), { channel: new BroadcastChannel("test") });
    const seen: unknown[] = [];
    cache.onChange((change) => seen.push(change));
    Object.assign(harness, { cacheSeen: () => seen, cacheListed: () => cache.list() });
  },
  async cachePutAloud(text: string): Promise<void> {
    const cache = await openBlobCache(await openStores(), { channel: new BroadcastChannel("test") });
    await cache.put(await nameOf(text), new TextEncoder().encode(text));
  },

  async outboxSave(index: number, output: string): Promise<void> {
    const outbox = createOutbox(await openStores(), console.warn);
    const frame = encodeValue(`padding ${output}`);
    const result = {
      index,
      attempt: 1,
      elapsedMs: 1,
      outcome: { state: "done" as const, output: frame.subarray(0, frame.length) },
    };
    await outbox.save([{ job: "j_aaaaaaaaaaaaaaaa" as never, result }]);
  },
  async outboxLoad(): Promise<unknown[]> {
    const outbox = createOutbox(await openStores(), console.warn);
    return (await outbox.load()).map(({ result }) => [
      result.index,
      result.outcome.state === "done" && result.outcome.output instanceof Uint8Array
        ? decodeValue(result.outcome.output)
        : null,
    ]);
  },
  async outboxRemove(index: number): Promise<void> {
    const outbox = createOutbox(await openStores(), console.warn);
    await outbox.remove([{ job: "j_aaaaaaaaaaaaaaaa" as never, index, attempt: 1 }]);
  },
  identity: async () => (await openIdentity(await openStores(), true)).known ?? null,
  async keepIdentity(identity: Identity): Promise<void> {
    await (await openIdentity(await openStores(), true)).keep(identity, []);
  },

  hash: (length: number) => hashBytes(new Uint8Array(length).map((_, i) => i & 255)),

  elect(): void {
    const states: string[] = [];
    const leave = joinElection({
      elected: (exclusive) => states.push(exclusive ? "elected" : "alone"),
      deposed: () => states.push("deposed"),
    });
    addEventListener("pagehide", leave);
    Object.assign(harness, { electionStates: () => states, leaveElection: leave });
  },
};

function describe(task: FinishedTask): unknown {
  const { outcome } = task;
  return outcome.state === "done"
    ? { index: task.index, output: decodeValue(outcome.output) }
    : { index: task.index, failure: outcome.failure };
}

Object.assign(globalThis, { harness });
