import { expose, transfer, wrap } from "comlink";
import type { RunnerReport } from "../../shared/client/ports.ts";
import type { RunnerHost } from "../../shared/client/ports.ts";
import { makeKernelTimers } from "../../shared/client/sandbox/kernel-timers.ts";
import { createKernelRunner } from "../../shared/client/sandbox/runner.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import { removeGlobals } from "./allowed-globals.ts";
import { workerReady, type ExposedHost, type WorkerRunner } from "./frame-messages.ts";
import { meterMemory } from "./memory-meter.ts";
import type { giveWebGpu } from "./webgpu.ts";
import { portEndpoint } from "./port-endpoint.ts";
import { makeReplacements } from "./replacements.ts";

/**
 * The worker of one slot: takes one port, removes the globals, then runs kernels. A kernel shares this realm, so the globals that the
 * worker itself needs later are taken before.
 */
const now = performance.now.bind(performance);
const objectUrl = URL.createObjectURL.bind(URL);
const revoke = URL.revokeObjectURL.bind(URL);
const BlobOfSource = Blob;
const Bytes = Uint8Array;
const bytesOf = (buffer: ArrayBuffer): Uint8Array => new Bytes(buffer);

/** The frame declares it: null in workers without WebGPU. */
declare const webgpu: typeof giveWebGpu | null;

const mib = 2 ** 20;

/** Outputs from this size on are transferred: below, a copy is cheaper than detaching a buffer. */
const transferBytes = 64 * 1024;

/** Calls of `ctx.data` and `ctx.put` that the page serves for this worker at once. */
const callsAtOnce = 64;

addEventListener("message", function first(event) {
  removeEventListener("message", first);
  const port = event.ports[0];
  if (port) start(port, event.data as number);
});

function start(port: MessagePort, memoryMb: number): void {
  const endpoint = portEndpoint(port);
  const timers = makeKernelTimers({ setTimeout, setInterval, clearTimeout });
  const replacements = makeReplacements({ log: (...parts) => running?.log(...parts) });
  const meter = meterMemory(memoryMb * mib, (bytes) => endpoint.postMessage(Math.round(bytes / mib)));
  removeGlobals(globalThis, { ...replacements, ...timers.globals, ...webgpu?.(meter) });
  const runner = createKernelRunner({
    importModule,
    host: hostOver(wrap<ExposedHost>(endpoint)),
    now,
    timers,
  });
  const exposed: WorkerRunner = {
    async load(sha256, source, portableCode) {
      if (portableCode) await importSource(portableCode);
      return runner.load(sha256, source);
    },
    run: async (bundle) => moved(await runner.run(bundle)),
  };
  expose(exposed, endpoint);
  endpoint.postMessage(workerReady);
}

type RemoteHost = ReturnType<typeof wrap<ExposedHost>>;

function hostOver(remote: RemoteHost): RunnerHost {
  const inTurn = limitConcurrency(callsAtOnce);
  return {
    data: (name, range) =>
      inTurn(async () => {
        const data = await remote.data(name, range);
        if (data instanceof Bytes) return data;
        // The browser may have let go of the bytes; a range comes from the page.
        return data
          .arrayBuffer()
          .then(bytesOf, () => remote.data(name, [0, name.size]) as Promise<Uint8Array>);
      }),
    // The reader of a clone keeps the message's bytes beside its own until it collects garbage.
    put: (bytes) => inTurn(() => remote.put(movedCopy(bytes))),
    report: (report) => remote.report(moved(report)),
    shows: true,
  };
}

function moved<Report extends RunnerReport | undefined>(report: Report): Report {
  const { bytes } = report?.finished ?? {};
  const isLarge = report && bytes && bytes.byteLength >= transferBytes;
  return isLarge ? transfer(report, [bytes.buffer as ArrayBuffer]) : report;
}

function movedCopy(bytes: Uint8Array): Uint8Array {
  const copy = new Bytes(bytes);
  return transfer(copy, [copy.buffer]);
}

/** Holds back a kernel's further calls in the worker's memory, so that they do not fill the page's. */
function limitConcurrency(limit: number): <T>(call: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (call) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await call();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

/** Context of the kernel called last: the runner calls kernels one after the other, so `console` writes to its log. */
let running: KernelContext | undefined;

async function importModule(source: Uint8Array): Promise<{ default?: unknown }> {
  const { default: kernel } = await importSource(source);
  if (typeof kernel !== "function") return { default: kernel };
  const call = kernel as (input: unknown, ctx: KernelContext) => unknown;
  return {
    default: (input: unknown, ctx: KernelContext): unknown => {
      running = ctx;
      return call(input, ctx);
    },
  };
}

async function importSource(source: Uint8Array | string): Promise<{ default?: unknown }> {
  const url = objectUrl(new BlobOfSource([source as BlobPart], { type: "text/javascript" }));
  try {
    return (await import(/* @vite-ignore */ url)) as { default?: unknown };
  } finally {
    revoke(url);
  }
}
