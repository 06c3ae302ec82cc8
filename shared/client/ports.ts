import type { BlobName } from "../data-reference.ts";
import type { Sha256 } from "../ids.ts";
import type { SentPart } from "../uplink.ts";
import type { Identity } from "../wire/identity.ts";
import type { CommandReply } from "../wire/command.ts";
import type { CommandRequest, CommandResult } from "../wire/kernel.ts";
import type { KernelSignature } from "../wire/kernel-signature.ts";
import type { LeaseKey, TaskResult } from "../wire/protocol.ts";
import type { FinishedPack, TaskPack } from "./sandbox/packs.ts";
import type { FinishedTask } from "./sandbox-task.ts";

/**
 * A shell (browser page, Node process) gives the client core these ports. The core acts on the world only through them: it has
 * no timers, sockets or storage of its own.
 */
export interface ClientPorts {
  readonly clock: Clock;
  /** Uniform in [0, 1), for jitter. */
  readonly random: () => number;
  readonly transport: Transport;
  readonly blobs: BlobTransfer;
  readonly cache: BlobCache;
  readonly outbox: Outbox;
  readonly sandboxes: SandboxFactory;
  /** Runs what the owner of the machine allows; absent where nothing is. */
  readonly commands?: Commands;
  /** The reason to refuse a kernel before it is fetched; undefined for a kernel that may run. Absent: every kernel may run. */
  readonly distrust?: (kernel: Sha256, signature: KernelSignature | undefined) => string | undefined;
  /** Keeps this client's identity and the addresses of its servers, the one that welcomed it first, for the next start. */
  readonly keepIdentity: (identity: Identity, servers: readonly string[]) => void;
  /** Diagnostics for a log or the browser's console. */
  readonly log: (
    level: "debug" | "info" | "warn",
    message: string,
    details?: Record<string, unknown>,
  ) => void;
}

export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Calls back once after about `ms`; returns a function that cancels the timer. */
  setTimer(ms: number, callback: () => void): () => void;
}

/** Opens the client's WebSocket to a server. */
export interface Transport {
  /**
   * Never throws: a failure to connect arrives as `closed`, which is called exactly once for a connection.
   * @param server - address, with a slash at its end
   */
  connect(handlers: TransportHandlers, server: string): TransportConnection;
}
export interface TransportHandlers {
  opened(): void;
  /** One binary frame. */
  received(frame: Uint8Array): void;
  /** A sign of life without a frame: bytes of an unfinished frame, or a WebSocket ping, where the platform shows them. */
  heard(): void;
  closed(code: number, reason: string): void;
}
export interface TransportConnection {
  send(frame: Uint8Array): void;
  /** Bytes that were given to `send` and are not on the network yet. */
  readonly bufferedBytes: number;
  close(code: number, reason: string): void;
}

/** Data of a queued task. */
export interface QueuedBlob extends BlobName {
  /** The part of a large blob that the input names. */
  readonly range?: readonly [number, number] | undefined;
}

/** The fetched beginning of a transfer. */
export interface FetchedPart {
  /** A buffer for all bytes of the transfer. */
  bytes: Uint8Array;
  length: number;
}

/** The beginning of an upload that the server has, and the name of its bytes once they are hashed. */
export interface UploadedPart extends SentPart {
  sha256?: Sha256;
}

/** Moves blobs over HTTP, from and to the server of the newest connection. The implementation verifies SHA-256. */
export interface BlobTransfer {
  /**
   * Fetches a blob, or `range` of it. A stalled transfer fails.
   * @param part - the bytes of earlier attempts; this attempt appends to them, so that the next one can go on from there
   * @throws PlatformError NOT_FOUND, HASH_MISMATCH, UNREACHABLE, …
   */
  fetch(
    name: BlobName,
    range: readonly [number, number] | undefined,
    ticket: string,
    part?: FetchedPart,
  ): Promise<Uint8Array>;
  /**
   * The server's SHA-256 of each chunk (`limits.chunkBytes`) of a blob, 32 bytes each.
   * @throws PlatformError NOT_FOUND, HASH_MISMATCH when there are too few or too many, UNREACHABLE, …
   */
  chunks(name: BlobName, ticket: string): Promise<Uint8Array>;
  /** SHA-256 by the fastest means of the platform. */
  hash(bytes: Uint8Array): Promise<Sha256>;
  /**
   * Stores bytes on the server under their SHA-256; a repeated upload is harmless. A stalled transfer fails.
   * @param part - what earlier tries sent; this try goes on from there
   */
  upload(bytes: Uint8Array, ticket: string, part?: UploadedPart): Promise<BlobName>;
  /** The network has changed: gives up connections from before, with the transfers on them. Absent where the platform does so itself. */
  renew?(): void;
}

/** LRU by bytes with a quota, shared by all tabs or clients of one machine. A miss is `undefined`, never an error. */
export interface BlobCache {
  get(sha256: Sha256): Promise<Uint8Array | undefined>;
  put(sha256: Sha256, bytes: Uint8Array): Promise<void>;
  /** Names in the cache, most recently used first, at most `limits.cachedPerMessage`. */
  list(): Promise<Sha256[]>;
  /** The listener is called with each change, also with those of another tab or process where the platform shows them. */
  onChange(listener: (change: { added: Sha256[]; removed: Sha256[] }) => void): void;
  /** Whether nothing is gained by reading a blob before its kernel does. Absent: reading ahead pays. */
  isNear?(name: BlobName): boolean;
  /** For data that comes before tasks need it; absent where blobs are as near without a cache. */
  readonly precache?: PrecacheSpace;
}

/** The part of a cache for precached data. */
export interface PrecacheSpace {
  /** The cache's quota in bytes. */
  readonly quotaBytes: number;
  /** Marks these names as used now. @returns the names that are in the cache */
  touch(names: readonly Sha256[]): Promise<Sha256[]>;
  /** As `put`, but stores nothing when that would remove a name of `keep`. */
  put(sha256: Sha256, bytes: Uint8Array, keep: { has(name: Sha256): boolean }): Promise<void>;
  /**
   * Runs `action` while no other living client of this cache runs an action of the same key; absent for a cache with one
   * client. Keys are file names.
   */
  turn?<T>(key: string, action: () => Promise<T>): Promise<T>;
}

/** A finished result that the server has not acknowledged yet. */
export interface OutboxEntry {
  readonly job: LeaseKey["job"];
  readonly result: TaskResult;
}

/** Keeps results across a reload, a crash and a restart. */
export interface Outbox {
  load(): Promise<OutboxEntry[]>;
  save(entries: readonly OutboxEntry[]): Promise<void>;
  remove(keys: readonly LeaseKey[]): Promise<void>;
}

/** Runs commands of the machine, outside of sandboxes. */
export interface Commands {
  /** Names of the commands that the owner allows. */
  readonly names: readonly string[];
  forSandbox(job: CommandDemand, data: Pick<SandboxHost, "data" | "put">): SandboxCommands;
}

/** Command and memory that a job asks of a machine. */
export interface CommandDemand {
  /** The command that the job requires. */
  readonly command?: string;
  /** Memory of the command and all that it starts, in MiB. */
  readonly memoryMb: number;
}

/** The commands of one sandbox. */
export interface SandboxCommands {
  /**
   * Checks a call of the kernel, and runs the command to its end in a directory of its own, one at a time.
   * @throws Error that says why the command did not run, or which limit it exceeded
   */
  run(call: unknown): Promise<CommandReply>;
  /** Ends the command that runs and all that it started, at once. */
  end(): void;
}

/** Makes the sandbox of one slot: a worker in a sandboxed iframe, or a process with no permissions. */
export interface SandboxFactory {
  /** Longest time that a sandbox is kept without a task; absent: for ever. */
  readonly idleMs?: number;
  /** @param options - `webgpu`: kernels have WebGPU (SPEC.md [GPU-1]) */
  create(host: SandboxHost, options: { slot: number; memoryMb: number; webgpu?: boolean }): Promise<Sandbox>;
}

/** The calls of the runner inside the sandbox. The core implements them, the shell exposes them. */
export interface SandboxHost {
  /**
   * Bytes of a blob or of a range of it, from the cache or the server. Other readers share them, so the caller may not change
   * or transfer them.
   */
  data(name: BlobName, range: readonly [number, number] | undefined): Promise<Uint8Array>;
  /** Stores bytes as a blob and returns its name. The bytes may be gone when the promise settles. */
  put(bytes: Uint8Array): Promise<BlobName>;
  /** Runs the command that the job requires; absent where no command can be run. */
  command?(call: unknown): Promise<CommandReply>;
  /** Takes a report on the running bundle, coalesced by the runner. */
  report(report: RunnerReport): void;
}

/** `SandboxHost` from inside the sandbox: every call may cross a boundary (comlink's `Remote<SandboxHost>` fits). */
export interface RunnerHost {
  data(name: BlobName, range: readonly [number, number] | undefined): Promise<Uint8Array> | Uint8Array;
  put(bytes: Uint8Array): Promise<BlobName> | BlobName;
  /** Absent where no command can be run. */
  command?(request: CommandRequest): Promise<CommandResult>;
  /** Whether somebody may see what kernels show. */
  readonly shows?: boolean;
  /** The runner does not wait for the result. */
  report(report: RunnerReport): unknown;
}

/** A report as the runner makes it. A hostile kernel may send anything else, so the core reads reports with `readReport`. */
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
  /** What a kernel shows, unchecked: only a page that shows it reads it. */
  readonly show?: unknown;
}

/** Tasks of one job that run in order. */
export interface SandboxBundle {
  readonly kernelSha256: Sha256;
  readonly seed: string;
  readonly tasks: TaskPack;
}

/** A running sandbox. Every call rejects when the sandbox dies. */
export interface Sandbox {
  /**
   * Loads a kernel module, whose bytes the core has verified. A repeated load has no effect.
   * @param portable - the realm computes the same values as on every other machine (SPEC.md [BITS-1])
   * @throws Error with the module's own error when it does not load or has no default-exported function
   */
  load(kernelSha256: Sha256, source: Uint8Array, portable?: boolean): Promise<void>;
  /** Runs a bundle; every task is reported through `host.report` before this resolves. A kernel's error does not reject. */
  run(bundle: SandboxBundle): Promise<void>;
  /** Ends the sandbox at once, even in the middle of a task. */
  terminate(): void;
  /** Resolves once, when the sandbox ends. `reason` is undefined after `terminate`. */
  readonly ended: Promise<{ reason: string | undefined; kind: "crash" | "memory" }>;
}

/** The description of a client in its greeting. */
export interface ClientDescription {
  /** Identity of an earlier run. */
  readonly identity?: Identity | undefined;
  readonly kind: "browser" | "node";
  readonly name: string;
  readonly token?: string;
  readonly memoryMb: number;
  readonly webgpu: boolean;
  /** Keys of trusted signers; absent when the client runs any kernel. */
  readonly trusts?: string[] | undefined;
  /** Commands that the owner allows. */
  readonly commands?: readonly string[] | undefined;
  readonly version: string;
}
