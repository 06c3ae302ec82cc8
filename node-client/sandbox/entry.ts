/**
 * Program of a sandbox process (bundled into one module, see runner-bundle.ts): loads the kernel runner, gives up all access,
 * then tells its parent that it is ready. After `lock` this module must not look up a global or a property of `process`.
 */
import * as comlink from "comlink";
import type { Value } from "../../shared/wire/codec.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import type { VerifyingCall } from "../../shared/wire/protocol.ts";
import type { RunnerHost } from "../../shared/client/ports.ts";
import { callCommand } from "./command-call.ts";
import { makeKernelTimers } from "../../shared/client/sandbox/kernel-timers.ts";
import { makePortable } from "../../shared/client/sandbox/portable/make-portable.ts";
import { createKernelRunner } from "../../shared/client/sandbox/runner.ts";
import { openBlockingPipe } from "./blocking-pipe.ts";
import { fileReader } from "./file-reader.ts";
import { completed, frameEndpoint, type Frame, type ProcessHost, type ProcessRunner } from "./frames.ts";
import { makeProcessHarmless } from "./harmless-process.ts";
import { makeReplacements, stripGlobals } from "./kernel-globals.ts";
import { importKernel, refuseImports } from "./kernel-modules.ts";
import { lockPrototypes } from "./lock-prototypes.ts";
import { closeNetwork, permissionsKnowNetwork } from "./network-handles.ts";
import { makeStructuredClone } from "./structured-clone.ts";
import { callVerifying } from "./verifying-calls.ts";

const exits = process as unknown as { reallyExit(code: number): never };
const die = exits.reallyExit.bind(process, 0);
const post = capturePost();
const pipe = openBlockingPipe(die);
const sender = { post, sendLarge: (bytes: Uint8Array) => pipe.write(bytes) };
const runnerChannel = frameEndpoint("runner", sender);
const hostChannel = frameEndpoint("host", sender);

let running: KernelContext | undefined;
const consoleSink = { log: (...parts: unknown[]): void => running?.log(...parts) };

/** Kernels run one after the other, so `console` belongs to the last called. */
async function importModule(source: Uint8Array, sha256: string): Promise<{ default?: unknown }> {
  const module = await importKernel(source, sha256);
  const kernel = module.default;
  if (typeof kernel !== "function") return { default: kernel };
  const compute = kernel as (input: unknown, ctx: KernelContext) => unknown;
  return {
    default: (input: Value, ctx: KernelContext, call: VerifyingCall | undefined): unknown => {
      running = ctx;
      return call ? callVerifying(module, call, input, ctx) : compute(input, ctx);
    },
  };
}

const remote = comlink.wrap<Required<ProcessHost>>(hostChannel.endpoint);
const readFile = fileReader((name, done) => remote.file(name, done));
const host: RunnerHost = {
  data: async (name, range) => (await readFile(name, range)) ?? remote.data(name, range),
  put: (bytes) => remote.put(bytes),
  command: (request) => callCommand((call) => remote.command(call), request),
  report: (report) => remote.report(report),
};
const now = performance.now.bind(performance);
const timers = makeKernelTimers({ setTimeout, setInterval, clearTimeout });
const runner = createKernelRunner({ importModule, host, now, timers });
let isPortable = false;
const exposed: ProcessRunner = {
  load(sha256, source, portable = false) {
    if (portable && !isPortable) makePortable();
    isPortable ||= portable;
    return runner.load(sha256, source);
  },
  run: (bundle) => runner.run(bundle),
};
comlink.expose(exposed, runnerChannel.endpoint);

process.on("message", ([kind, content, count = 0]: Frame) => {
  const message = count > 0 ? completed(content, count, () => pipe.read()) : content;
  if (kind === "runner") runnerChannel.deliver(message);
  if (kind === "host") hostChannel.deliver(message);
});
// As in a browser's worker, an unhandled rejection is harmless, and an uncaught exception ends the process.
process.on("unhandledRejection", () => undefined);
process.on("uncaughtException", (error: unknown) => post(["fatal", describe(error)]));

// Node uses the real channel one tick after the first listener.
await new Promise((resolve) => setImmediate(resolve));
lock();
post(["ready"]);

/** Captures IPC so that only frames can be sent, and so that `process` can lose the functions that a kernel could misuse. */
function capturePost(): (frame: Frame) => void {
  const { send, _send } = process as unknown as Record<"send" | "_send", (...parts: unknown[]) => unknown>;
  if (!send || !_send) throw new Error("A sandbox process is started by a client, not by hand.");
  const line = { connected: true, channel: {}, _handleQueue: null, _send, emit: () => undefined };
  const sendFrame = send.bind(line);
  return (frame) => void sendFrame(frame);
}

function lock(): void {
  const replacements = makeReplacements(consoleSink, timers);
  replacements["structuredClone"] = makeStructuredClone();
  if (!permissionsKnowNetwork) closeNetwork();
  refuseImports();
  stripGlobals(replacements);
  makeProcessHarmless(die);
  lockPrototypes();
}

function describe(error: unknown): string {
  try {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  } catch {
    return "an exception that cannot be described";
  }
}
