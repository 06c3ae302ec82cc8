import { availableParallelism } from "node:os";
import { MessageChannel, Worker } from "node:worker_threads";
import type { ConnectOptions } from "../../customer/connect.ts";
import { Hands } from "../../customer/hands.ts";
import { HttpClient } from "../../customer/http.ts";
import { defaultCacheDirectory } from "../../node-client/cache-directory.ts";
import { PlatformError, refusalOf } from "../../shared/errors.ts";
import { programName } from "../program-directory.ts";
import type { ParallelSpec } from "../spec.ts";
import { loadEngine, type EngineCode } from "./engine-code.ts";
import type { EngineOptions, FromEngine, ToEngine } from "./messages.ts";
import { PortStream } from "./port-stream.ts";

/** The engine is terminated when it does not end by itself within this time. */
const endMs = 3000;

/**
 * Computes on this machine: a scheduler in a thread of this process, kernels in sandboxed processes, no port opened. Thread and
 * processes end with `hands.close()`, and with the program in any case.
 *
 * @throws PlatformError DATA_DIRECTORY when SCRATCH cannot be used
 */
export async function connectThread(
  spec: Extract<ParallelSpec, { type: "thread" }>,
  options: ConnectOptions,
): Promise<Hands> {
  const cacheDirectory = spec.options.cache ?? defaultCacheDirectory();
  const code = await loadEngine(cacheDirectory);
  const engine = new EngineThread(code, {
    threads: spec.threads === "auto" ? availableParallelism() : spec.threads,
    scratch: spec.scratch,
    program: options.name ?? programName(process.argv),
    cacheDirectory,
  });
  // HTTP takes 20 ms to load, which overlaps with the engine's start.
  const [token, { createFetch }] = await Promise.all([engine.ready, import("./thread-fetch.ts")]);
  const requests = createFetch(() => engine.connect());
  const { log = (line: string) => void process.stderr.write(`${line}\n`) } = options;
  engine.onWarned(log);
  const http = new HttpClient({
    url: "http://thread.localhost/",
    findToken: async () => token,
    patienceMs: options.patienceMs ?? Infinity,
    log,
    fetch: requests.fetch,
  });
  engine.onGone((reason) => http.close(reason));
  const end = async (): Promise<void> => {
    http.close();
    requests.close();
    await engine.end();
  };
  return new ThreadHands(http, end, options.name, options.priority);
}

/** A connection to an engine of its own. */
class ThreadHands extends Hands {
  readonly #end: () => Promise<void>;

  constructor(http: HttpClient, end: () => Promise<void>, name?: string, priority?: number) {
    super(http, name, priority);
    this.#end = end;
  }

  /** Ends the engine; resolves when it is gone. With SCRATCH, jobs stay there. */
  // The base class's close returns void, because other connections have nothing to wait for.
  // oxlint-disable-next-line typescript/no-misused-promises
  override async close(): Promise<void> {
    await this.closeSingleTasks();
    await this.#end();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * The thread that schedules, so that tasks go on while the program keeps its own thread busy. A process is not needed: kernels run in
 * processes of their own, and a thread always ends with the program.
 */
class EngineThread {
  /** The token of the REST interface. */
  readonly ready: Promise<string>;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #ending: Promise<void> | undefined;

  constructor({ file, compiled }: EngineCode, options: EngineOptions) {
    this.#worker = new Worker(file, {
      workerData: options,
      env: { ...process.env, ...(compiled !== undefined && { NODE_COMPILE_CACHE: compiled }) },
      // The program's --import and --require are not meant for the engine.
      execArgv: [],
      name: "manyhands",
    });
    this.#exited = new Promise((resolve) => this.#worker.once("exit", () => resolve()));
    this.ready = this.#start();
  }

  connect(): PortStream {
    const { port1, port2 } = new MessageChannel();
    this.#post({ type: "connection", port: port2 }, [port2]);
    return new PortStream(port1);
  }

  onWarned(tell: (message: string) => void): void {
    this.#worker.on("message", (message: FromEngine) => message.type === "warned" && tell(message.message));
    // The listener must not keep the program alive.
    this.#worker.unref();
  }

  /** Tells when the engine ends without a call of `end`. */
  onGone(tell: (reason: PlatformError) => void): void {
    let cause: unknown;
    this.#worker.on("error", (error) => (cause = error));
    this.#worker.once("exit", () => {
      if (this.#ending) return;
      const why = cause instanceof Error ? cause.message : "it ended by itself";
      tell(new PlatformError("INTERNAL", `The thread that schedules failed: ${why}.`, cause));
    });
  }

  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #start(): Promise<string> {
    const first = await new Promise<FromEngine>((resolve, reject) => {
      this.#worker.once("message", resolve);
      this.#worker.once("error", reject);
      void this.#exited.then(() => reject(new Error("the scheduling thread ended while it started")));
    });
    // From here on only requests keep the program alive, as requests to a server do.
    this.#worker.unref();
    if (first.type === "ready") return first.token;
    if (first.type === "refused") throw refusalOf(first.error);
    throw new Error(`the scheduling thread began with "${first.message}"`);
  }

  async #end(): Promise<void> {
    this.#worker.ref();
    this.#post({ type: "close" });
    const late = setTimeout(() => void this.#worker.terminate(), endMs);
    await this.#exited;
    clearTimeout(late);
  }

  #post(message: ToEngine, transfer: readonly MessageChannel["port1"][] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}
