import { createServer } from "node:http";
import { totalmem } from "node:os";
import { join } from "node:path";
import type { MessagePort } from "node:worker_threads";
import { pino } from "pino";
import { createAccess } from "../../server/access/access.ts";
import { nameOfUser } from "../../server/access/name-of-user.ts";
import { openBlobDirectory } from "../../server/blobs/blob-store.ts";
import { LocalPlatform } from "../../server/dispatch/local-platform.ts";
import { createHttpApp } from "../../server/http/app.ts";
import type { Blobs } from "../../server/http/context.ts";
import { defaultServerOptions, type ServerOptions } from "../../server/options.ts";
import { openMemoryStore } from "../../server/store/sqlite/open.ts";
import type { Store } from "../../server/store/store.ts";
import { createClient, type Client } from "../../shared/client/client.ts";
import type { BlobCache, Clock, Outbox, SandboxFactory } from "../../shared/client/ports.ts";
import { jobDefaults } from "../../shared/limits.ts";
import { version } from "../../shared/version.ts";
import { MemoryBlobs } from "./memory-blobs.ts";
import { createMemoryTransport, ownIdentity } from "./memory-transport.ts";
import type { EngineOptions } from "./messages.ts";
import { createOwnTransfer } from "./own-blobs.ts";
import { PortStream } from "./port-stream.ts";
import { openScratch } from "./scratch.ts";
import type { WarmSandboxes } from "./warm-sandboxes.ts";

/** Server and client of one program. */
export interface Engine {
  readonly token: string;
  /** Serves HTTP on a port between threads. */
  accept(port: MessagePort): void;
  /** Ends kernels and store; resolves when both are closed. */
  close(): Promise<void>;
}

const serverOptions: ServerOptions = {
  ...defaultServerOptions,
  volunteers: "off",
  logLevel: "silent",
  // A program may ask its own thread without a limit.
  requestsPerMinutePerAddress: 1e9,
  // The clients of an earlier run are gone, so their tasks are handed out at once after a restart.
  graceMs: 1,
};

/**
 * Opens a server and a client for one program: the same scheduler, store, REST interface and client core, without a socket between
 * them. Blobs in memory may take half of the machine's memory.
 *
 * @param warn - called with the client's warnings, such as a sandbox that does not start
 * @throws PlatformError DATA_DIRECTORY
 */
export async function openEngine(
  engine: EngineOptions,
  sandboxes: WarmSandboxes,
  warn: (message: string) => void,
): Promise<Engine> {
  const log = pino({ level: "silent" });
  const { store, directory } = await openStore(engine);
  const blobs = openBlobs(store, directory);
  const options = { ...serverOptions, blobQuotaBytes: directory ? 2 ** 50 : memoryBytes() / 2 };
  const platform = await LocalPlatform.open({ store, options, log, volunteerUrls: () => [] });
  const access = createAccess(store);
  const token = await freshToken(access);
  const stopping = new AbortController();
  const app = createHttpApp({
    platform,
    blobs,
    access,
    options,
    webRoot: join(import.meta.dirname, "none"),
    log,
    stopping: stopping.signal,
  });
  const http = createServer(app);
  http.requestTimeout = 0;
  const client = startClient(engine.threads, sandboxes, platform, blobs, warn);
  return {
    token,
    accept: (port) => void http.emit("connection", new PortStream(port)),
    async close() {
      platform.dispatcher.stopLeasing();
      stopping.abort();
      client.stop();
      sandboxes.end();
      // The client's last messages arrive within two turns.
      await new Promise((resolve) => setTimeout(resolve));
      http.closeAllConnections();
      await store.close();
    },
  };
}

async function openStore({
  scratch,
  program,
}: EngineOptions): Promise<{ store: Store; directory: string | undefined }> {
  if (scratch !== undefined) return openScratch(scratch, program);
  return { store: await openMemoryStore(), directory: undefined };
}

function openBlobs(store: Store, directory: string | undefined): Blobs {
  if (directory === undefined) return new MemoryBlobs(store, memoryBytes() / 2);
  const { blobKeepMs: keepMs } = serverOptions;
  const blobs = openBlobDirectory(join(directory, "blobs"), { quotaBytes: 2 ** 50, keepMs, store });
  // The check runs beside the work: unrecorded blobs are found without it, and a damaged blob is refused when it is used.
  blobs
    .check()
    .then(() => blobs.collect())
    .catch(() => undefined);
  return blobs;
}

/** Makes a token and revokes those of earlier runs. Tokens of one name are one customer, so the program finds its jobs. */
async function freshToken(access: ReturnType<typeof createAccess>): Promise<string> {
  for (const { id } of await access.list()) await access.revoke(id);
  const { secret } = await access.createToken({ role: "admin", name: nameOfUser() });
  return secret;
}

function startClient(
  threads: number,
  sandboxes: SandboxFactory,
  platform: LocalPlatform,
  blobs: Blobs,
  warn: (message: string) => void,
): Client {
  // A slot's memory is a bound and not a reservation: many threads on a small machine still take ordinary jobs.
  const share = Math.floor((memoryBytes() * 0.8) / threads / 1024 ** 2);
  const client = createClient(
    {
      clock,
      random: Math.random,
      transport: createMemoryTransport(platform.connectionServices(pino({ level: "silent" }))),
      blobs: createOwnTransfer(blobs, platform, ownIdentity.client),
      cache: noCache,
      outbox: noOutbox,
      sandboxes,
      keepIdentity: () => undefined,
      log: (level, message) => level === "warn" && warn(message),
    },
    {
      kind: "node",
      name: "this machine",
      memoryMb: Math.max(jobDefaults.memoryMb, share),
      webgpu: false,
      version,
    },
    { slots: threads },
  );
  client.start();
  return client;
}

function memoryBytes(): number {
  const constrained = process.constrainedMemory();
  return Math.min(totalmem(), constrained > 0 ? constrained : Infinity);
}

const clock: Clock = {
  now: () => performance.now(),
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Without a cache, because blobs are read in this thread; there is nothing to precache, either. */
const noCache: BlobCache = {
  get: async () => undefined,
  put: async () => undefined,
  list: async () => [],
  onChange: () => undefined,
};

/** Without an outbox, because a result is in the store in the next turn. Tasks whose results the process loses run again. */
const noOutbox: Outbox = {
  load: async () => [],
  save: async () => undefined,
  remove: async () => undefined,
};
