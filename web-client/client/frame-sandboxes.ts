import { expose, releaseProxy, transfer, wrap } from "comlink";
import { outgrown } from "../../shared/client/sandbox/outgrown.ts";
import type { Sandbox, SandboxFactory, SandboxHost } from "../../shared/client/ports.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { workerReady, type ExposedHost, type WorkerRunner } from "../sandbox/frame-messages.ts";
import type { PageCache } from "./blob-cache.ts";
import { guardPort, type GuardedPort } from "./guarded-port.ts";
import { SandboxFrame } from "./sandbox-frame.ts";

/** A worker starts in some ten milliseconds; a machine that swaps may need a thousand times that. */
const startMs = 30_000;
/** Deadline of fetching code of workers: less than the session's for a load, so that a slow network is not taken for a slow kernel. */
const fetchMs = 4000;

/** A worker cannot be stopped for a while. One that idles is kept this long for tasks that come one by one. */
const idleMs = 1000;

type Ended = Awaited<Sandbox["ended"]>;

interface FrameSandboxes extends SandboxFactory {
  /** Loads the sandbox page ahead of the first sandbox. */
  warmUp(): void;
  /** Fetches the portable code ahead of the first kernel that needs it. */
  fetchPortable(): void;
  /** Ends every sandbox. */
  close(): void;
}

/**
 * Sandboxes in workers of one hidden, sandboxed iframe. Page and worker speak comlink over a port of their own.
 *
 * @param cache - the page's cache, when it is open
 * @param url - the sandbox page
 */
export function createFrameSandboxes(
  cache: () => PageCache | undefined = () => undefined,
  url = "sandbox.html",
): FrameSandboxes {
  let frame: Promise<SandboxFrame> | undefined;

  async function openFrame(): Promise<SandboxFrame> {
    const current = await frame?.catch(() => undefined);
    if (current && !current.closed) return current;
    const opening = SandboxFrame.open(url);
    frame = opening;
    return opening;
  }

  let opening: Promise<unknown> = Promise.resolve();
  /** Opens the frame in turn, so that the first slots of a page do not open a frame each. */
  function inTurn(): Promise<SandboxFrame> {
    const open = opening.then(openFrame);
    opening = open.catch(() => undefined);
    return open;
  }

  return {
    idleMs,
    async create(host, { memoryMb, webgpu }) {
      const code = webgpu ? await codeOf("webgpu.js") : undefined;
      const sandbox = new WorkerSandbox(await inTurn(), exposedHost(host, cache()), memoryMb, code);
      await sandbox.ready;
      return sandbox;
    },
    warmUp() {
      inTurn().catch(() => undefined);
    },
    fetchPortable: () => void codeOf(portable),
    close() {
      void frame?.then((open) => open.close("The page closed it."));
    },
  };
}

class WorkerSandbox implements Sandbox {
  readonly ended: Promise<Ended>;
  readonly ready: Promise<void>;
  readonly #port: GuardedPort;
  readonly #runner: ReturnType<typeof wrap<WorkerRunner>>;
  readonly #host: ExposedHost;
  readonly #terminate: () => void;
  #resolveEnded!: (ended: Ended) => void;
  /** Rejects when the sandbox ends: no call may wait for an answer that cannot come. */
  readonly #dead: Promise<never>;

  constructor(frame: SandboxFrame, host: ExposedHost, memoryMb: number, webgpu: string | undefined) {
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.#dead = this.ended.then(({ reason }) => {
      throw new Error(reason ?? "The sandbox was terminated.");
    });
    this.#dead.catch(() => undefined);
    const { port1, port2 } = new MessageChannel();
    const worker = frame.spawn(port2, { memoryMb, webgpu }, (reason) => this.#end(reason));
    this.#terminate = worker.terminate;
    const greeted = Promise.withResolvers<void>();
    this.#port = guardPort(port1, {
      greeting: workerReady,
      greeted: greeted.resolve,
      verbs: ["data", "put", "report"],
      outgrew: (usedMb) => this.#kill(outgrown(usedMb, memoryMb), "memory"),
      violated: (what) => this.#kill(what),
    });
    this.ready = this.#within(startMs, greeted.promise);
    this.#runner = wrap<WorkerRunner>(this.#port.endpoint);
    this.#host = host;
    expose(host, this.#port.endpoint);
  }

  async load(kernelSha256: string, source: Uint8Array, isPortable = false): Promise<void> {
    const code = isPortable ? await codeOf(portable) : undefined;
    await Promise.race([this.#runner.load(kernelSha256, compact(source), code), this.#dead]);
  }

  async run(bundle: Parameters<Sandbox["run"]>[0]): Promise<void> {
    // A promise that is raced with `#dead` may be kept as long as `#dead`, so it must not resolve with anything large.
    const reported = this.#runner.run(bundle).then((rest) => rest && this.#host.report(rest));
    await Promise.race([reported, this.#dead]);
  }

  terminate(): void {
    this.#kill(undefined);
  }

  #kill(...end: [reason: Ended["reason"], kind?: Ended["kind"]]): void {
    this.#terminate();
    this.#end(...end);
  }

  #end(reason: Ended["reason"], kind: Ended["kind"] = "crash"): void {
    this.#port.close();
    // comlink keeps the endpoint of each proxy that is in use, and the endpoint has this sandbox.
    this.#runner[releaseProxy]();
    this.#resolveEnded({ reason, kind });
  }

  async #within(ms: number, greeted: Promise<void>): Promise<void> {
    const timer = setTimeout(() => {
      this.#kill(`The sandbox's worker did not start within ${ms} ms.`);
    }, ms);
    await Promise.race([greeted, this.#dead]).finally(() => clearTimeout(timer));
  }
}

/** The portable code, a third of the page's size. */
const portable = "portable.js";
const fetched = new Map<string, Promise<string>>();

/** Code of workers that the first kernel needs which needs it. @throws PlatformError UNREACHABLE */
function codeOf(name: string): Promise<string> {
  const code = fetched.get(name) ?? fetchCode(name);
  fetched.set(name, code);
  code.catch(() => fetched.delete(name));
  return code;
}

async function fetchCode(name: string): Promise<string> {
  try {
    const reply = await fetch(name, { signal: AbortSignal.timeout(fetchMs) });
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    return await reply.text();
  } catch (error) {
    throw new PlatformError("UNREACHABLE", `${name} could not be fetched: ${messageOf(error)}.`);
  }
}

/**
 * The host's calls for the worker. A whole cached blob is a handle. Other data is copied and the copy transferred: a structured clone would
 * copy it once more.
 */
function exposedHost(host: SandboxHost, cache: PageCache | undefined): ExposedHost {
  return {
    async data(name, range) {
      const stored = !range && cache?.isNear?.(name) && (await cache.stored?.(name.sha256));
      if (stored) return stored;
      const bytes = (await host.data(name, range)).slice();
      return transfer(bytes, [bytes.buffer]);
    },
    put: (bytes) => host.put(bytes).finally(() => free(bytes)),
    report: (report) => host.report(report),
  };
}

/** Gives memory back at once, because the page may collect no garbage for a long time. A worker may have sent anything. */
function free(bytes: Uint8Array | undefined): void {
  const buffer = bytes?.buffer as Partial<ArrayBuffer> | undefined;
  buffer?.transfer?.(0);
}

/** Copies a view: a structured clone takes the whole buffer behind it, for 100 bytes of a task a frame of up to 16 MiB. */
function compact(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}
