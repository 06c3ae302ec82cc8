import type { BlobName } from "../data-reference.ts";
import type { ClientId, Sha256 } from "../ids.ts";
import type { LeaseKey, TaskResult } from "../wire/protocol.ts";
import type { FinishedPack, TaskPack } from "./sandbox/packs.ts";
import type { FinishedTask } from "./sandbox-task.ts";

/**
 * What a shell (browser page, Node process) gives the client core. Everything the core does to the world goes through
 * these; the core itself holds no timers, sockets or storage.
 */
export interface ClientPorts {
  readonly clock: Clock;
  /** Uniform in [0, 1); for jitter. */
  readonly random: () => number;
  readonly transport: Transport;
  readonly blobs: BlobTransfer;
  readonly cache: BlobCache;
  readonly outbox: Outbox;
  readonly sandboxes: SandboxFactory;
  /** Diagnostics; a person reads them in a log or the browser's console. */
  readonly log: (
    level: "debug" | "info" | "warn",
    message: string,
    details?: Record<string, unknown>,
  ) => void;
}

export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Calls back once after about `ms`; returns what cancels it. */
  setTimer(ms: number, callback: () => void): () => void;
}

/** Opens the one WebSocket to the server. */
export interface Transport {
  /** Never throws: a failure to connect arrives as `closed`. `closed` is called exactly once a connection. */
  connect(handlers: TransportHandlers): TransportConnection;
}
export interface TransportHandlers {
  opened(): void;
  /** One binary frame. */
  received(frame: Uint8Array): void;
  /** A sign of life that is not a frame (a WebSocket ping where the platform shows it). */
  heard(): void;
  closed(code: number, reason: string): void;
}
export interface TransportConnection {
  send(frame: Uint8Array): void;
  /** Bytes handed to `send` and not yet on the network. */
  readonly bufferedBytes: number;
  close(code: number, reason: string): void;
}

/** The bytes of a fetch that are here, from the first on. */
export interface FetchedPart {
  /** Room for all of them. */
  bytes: Uint8Array;
  length: number;
}

/** Moves blobs over HTTP. Verified by SHA-256 by whoever implements it. */
export interface BlobTransfer {
  /**
   * Fetches a blob, or `range` of it. Gives up when nothing comes for a while.
   * @param part - what an attempt before this one got; changed here, so that the next one goes on where this one stopped
   * @throws PlatformError NOT_FOUND, HASH_MISMATCH, UNREACHABLE, …
   */
  fetch(
    name: BlobName,
    range: readonly [number, number] | undefined,
    ticket: string,
    part?: FetchedPart,
  ): Promise<Uint8Array>;
  /**
   * SHA-256 of each chunk (`limits.chunkBytes`) of a blob, 32 bytes each, as the server tells them.
   * @throws PlatformError NOT_FOUND, HASH_MISMATCH when there are too few or too many, UNREACHABLE, …
   */
  chunks(name: BlobName, ticket: string): Promise<Uint8Array>;
  /** SHA-256 by the fastest means of the platform. */
  hash(bytes: Uint8Array): Promise<Sha256>;
  /** Stores bytes on the server under their SHA-256; repeating it is harmless. */
  upload(bytes: Uint8Array, ticket: string): Promise<BlobName>;
}

/** LRU by bytes with a quota, shared by all tabs or clients of one machine. A miss is `undefined`, never an error. */
export interface BlobCache {
  get(sha256: Sha256): Promise<Uint8Array | undefined>;
  put(sha256: Sha256, bytes: Uint8Array): Promise<void>;
  /** Names held, most recently used first, at most `limits.cachedPerMessage`. */
  list(): Promise<Sha256[]>;
  /** Called with each change, also those made by another tab or process where that can be told. */
  onChange(listener: (change: { added: Sha256[]; removed: Sha256[] }) => void): void;
  /** For data that comes before tasks need it; absent where blobs are as near without a cache. */
  readonly precache?: PrecacheSpace;
}

/** The side of a cache for data that nobody needs yet. */
export interface PrecacheSpace {
  /** Most bytes that the cache holds. */
  readonly quotaBytes: number;
  /** Of these names, those that are here. They count as used now. */
  touch(names: readonly Sha256[]): Promise<Sha256[]>;
  /** As `put`, but where that takes removing something of `keep`, it stores nothing. */
  put(sha256: Sha256, bytes: Uint8Array, keep: { has(name: Sha256): boolean }): Promise<void>;
  /**
   * Runs `action` while no other client of this cache runs one of the same key (as far as they live); absent where a cache has
   * one client. Keys are file names.
   */
  turn?<T>(key: string, action: () => Promise<T>): Promise<T>;
}

/** A finished result that the server has not acknowledged yet. */
export interface OutboxEntry {
  readonly job: LeaseKey["job"];
  readonly result: TaskResult;
}

/** Survives a reload, a crash and a restart. */
export interface Outbox {
  load(): Promise<OutboxEntry[]>;
  save(entries: readonly OutboxEntry[]): Promise<void>;
  remove(keys: readonly LeaseKey[]): Promise<void>;
}

/** Makes the sandbox of one slot: a worker in a sandboxed iframe, or a process with no permissions. */
export interface SandboxFactory {
  create(host: SandboxHost, options: { slot: number; memoryMb: number }): Promise<Sandbox>;
}

/** What the runner inside the sandbox may ask of the outside. Implemented by the core, exposed by the shell. */
export interface SandboxHost {
  /** Bytes of a blob or of a range of it, from the cache or the server. Others read them too: not to be changed or moved. */
  data(name: BlobName, range: readonly [number, number] | undefined): Promise<Uint8Array>;
  /** Stores bytes as a blob and returns its name. */
  put(bytes: Uint8Array): Promise<BlobName>;
  /** Reports from the running bundle, coalesced by the runner. */
  report(report: RunnerReport): void;
}

/** `SandboxHost` as seen from inside the sandbox: every call may cross a boundary (comlink's `Remote<SandboxHost>` fits). */
export interface RunnerHost {
  data(name: BlobName, range: readonly [number, number] | undefined): Promise<Uint8Array> | Uint8Array;
  put(bytes: Uint8Array): Promise<BlobName> | BlobName;
  /** Fire and forget: the runner never waits for it. */
  report(report: RunnerReport): unknown;
}

/** A report as the runner makes it. What crosses the boundary may be anything: it is read by `readReport`. */
export interface RunnerReport extends Omit<SandboxReport, "finished"> {
  readonly finished?: FinishedPack;
}

export interface SandboxReport {
  /** Tasks of the bundle that finished since the last report, in order. */
  readonly finished?: readonly FinishedTask[];
  readonly progress?: { readonly index: number; readonly fraction: number };
  /** Newest checkpoint state, encoded. */
  readonly checkpoint?: { readonly index: number; readonly state: Uint8Array };
  readonly log?: { readonly index: number; readonly lines: readonly string[] };
}

/** One bundle: tasks of one job, run in order. */
export interface SandboxBundle {
  readonly kernelSha256: Sha256;
  readonly seed: string;
  readonly tasks: TaskPack;
}

/** A running sandbox. Every call rejects when the sandbox dies. */
export interface Sandbox {
  /**
   * Loads a kernel module (its bytes are verified by the core). Loading the same kernel again is free.
   * @throws Error with the module's own error when it does not load or has no default-exported function
   */
  load(kernelSha256: Sha256, source: Uint8Array): Promise<void>;
  /** Runs a bundle; every task is reported through `host.report` before this resolves. Never rejects for a kernel's error. */
  run(bundle: SandboxBundle): Promise<void>;
  /** Ends it at once, whatever it is doing. */
  terminate(): void;
  /** Resolves once when it ends, by itself or by `terminate`. `reason` is undefined after terminate. */
  readonly ended: Promise<{ reason: string | undefined; kind: "crash" | "memory" }>;
}

/** Who this client is, and what it offers. */
export interface ClientIdentity {
  readonly client: ClientId;
  readonly kind: "browser" | "node";
  readonly name: string;
  readonly token?: string;
  readonly memoryMb: number;
  readonly webgpu: boolean;
  readonly version: string;
}
