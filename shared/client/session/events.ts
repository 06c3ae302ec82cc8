import type { KernelSignature } from "../../wire/kernel-signature.ts";
import type { BlobName } from "../../data-reference.ts";
import type { Sha256, TaskIndex } from "../../ids.ts";
import type { Identity } from "../../wire/identity.ts";
import type { PrecacheItem } from "../../wire/precache.ts";
import type { ClientMessage, Failure, LeasedTask, LeaseKey, ServerMessage } from "../../wire/protocol.ts";
import type { OutboxEntry, SandboxReport } from "../ports.ts";

/** An event: the only way into the session. */
export type SessionEvent =
  | { readonly type: "startAsked" }
  | { readonly type: "pauseAsked" }
  | { readonly type: "resumeAsked" }
  | { readonly type: "slotsChosen"; readonly slots: number }
  /** The share of time in which each slot computes. */
  | { readonly type: "shareChosen"; readonly share: number }
  /** Whether kernels can have WebGPU in a sandbox of this client. */
  | { readonly type: "webGpuChanged"; readonly has: boolean }
  | { readonly type: "drainAsked" }
  | { readonly type: "stopAsked" }
  /** Answers `loadState` with what an earlier run of this client left behind. */
  | {
      readonly type: "stateLoaded";
      readonly outbox: readonly OutboxEntry[];
      /** Most recently used first. */
      readonly cached: readonly Sha256[];
    }
  | { readonly type: "connectionOpened" }
  /** The second connection is open, and is the only one from now on. */
  | { readonly type: "probeOpened" }
  | { readonly type: "probeFailed" }
  /** The machine has another network, or has its network again. */
  | { readonly type: "networkChanged" }
  | { readonly type: "connectionClosed"; readonly code: number; readonly reason: string }
  | { readonly type: "messageReceived"; readonly message: ServerMessage }
  /** A sign of life that is not a message. */
  | { readonly type: "serverHeard" }
  | { readonly type: "cacheChanged"; readonly added: readonly Sha256[]; readonly removed: readonly Sha256[] }
  /** The sandbox could not be made. */
  | {
      readonly type: "sandboxFailed";
      readonly slot: number;
      readonly sandbox: number;
      readonly reason: string;
    }
  /** The sandbox died by itself. */
  | {
      readonly type: "sandboxEnded";
      readonly slot: number;
      readonly sandbox: number;
      readonly kind: "crash" | "memory";
      readonly reason: string;
    }
  /** The kernel's module is being evaluated: from here on the kernel's code runs. */
  | { readonly type: "loadStarted"; readonly slot: number; readonly run: number }
  /** The kernel did not load or its bytes could not be fetched: no task of the bundle can run. */
  | {
      readonly type: "kernelRefused";
      readonly slot: number;
      readonly run: number;
      readonly failure: Failure;
    }
  /** Inputs that are blobs could not be fetched; the other tasks of the bundle run. */
  | {
      readonly type: "inputsRefused";
      readonly slot: number;
      readonly run: number;
      readonly failures: readonly { readonly index: TaskIndex; readonly failure: Failure }[];
    }
  | { readonly type: "bundleStarted"; readonly slot: number; readonly run: number }
  /** A report of the sandbox, checked for shape and size; its content may still be nonsense. */
  | {
      readonly type: "tasksReported";
      readonly slot: number;
      readonly sandbox: number;
      readonly report: SandboxReport;
    }
  /** The sandbox says that the bundle is over; its last report may still be on the way. */
  | { readonly type: "bundleEnded"; readonly slot: number; readonly run: number; readonly reason?: string }
  /** A blob, or a range of one, was fetched in so many ms; waiting for other transfers does not count. */
  | { readonly type: "dataFetched"; readonly sha256: Sha256; readonly ms: number }
  | { readonly type: "outputUploaded"; readonly upload: number; readonly name: BlobName }
  | { readonly type: "outputRefused"; readonly upload: number; readonly failure: Failure }
  /** Bytes of a precache that are here, and bytes that will not come. `over`: no transfer of the precache is under way. */
  | {
      readonly type: "precacheMoved";
      readonly id: number;
      readonly haveBytes: number;
      readonly missedBytes: number;
      readonly reason: string | undefined;
      readonly over: boolean;
    }
  | { readonly type: "timePassed" };

/** An instruction to the runtime: the only way out of the session. */
export type SessionInstruction =
  | { readonly type: "loadState" }
  /** Opens a connection to the server at an address. */
  | { readonly type: "openConnection"; readonly server: string }
  /** Opens a second connection beside the present one; the first of the two that shows life stays. */
  | { readonly type: "openProbe"; readonly server: string }
  | { readonly type: "closeProbe" }
  | { readonly type: "closeConnection"; readonly code: number; readonly reason: string }
  | { readonly type: "sendMessage"; readonly message: ClientMessage }
  /** The identity, or the known servers, are new: the first server is the one that welcomed this client. */
  | { readonly type: "keepIdentity"; readonly identity: Identity; readonly servers: readonly string[] }
  /** Credential for blob transfers. */
  | { readonly type: "useTicket"; readonly ticket: string }
  | {
      readonly type: "openSandbox";
      readonly slot: number;
      readonly sandbox: number;
      readonly memoryMb: number;
      /** The command that kernels of the sandbox may run. */
      readonly command?: string;
      readonly webgpu: boolean;
    }
  | { readonly type: "closeSandbox"; readonly slot: number; readonly sandbox: number }
  /** Load the kernel unless the sandbox has it, fetch inputs that are blobs, run the tasks. */
  | {
      readonly type: "runTasks";
      readonly slot: number;
      readonly sandbox: number;
      readonly run: number;
      readonly kernel: BlobName;
      readonly signature: KernelSignature | undefined;
      /** The sandbox has nothing that gives other values on another machine. */
      readonly portable: boolean;
      readonly seed: string;
      readonly tasks: readonly LeasedTask[];
    }
  /** Fetches what a task needs into the cache, while its lease is here: blobs, and the ranges of large blobs that `input` names. */
  | {
      readonly type: "fetchQueued";
      readonly lease: LeaseKey;
      readonly blobs: readonly BlobName[];
      readonly input?: Uint8Array | undefined;
    }
  /** Fetch blobs into the cache behind those that tasks need, and report by `precacheMoved`; until `stopPrecache`. */
  | { readonly type: "startPrecache"; readonly id: number; readonly blobs: readonly PrecacheItem[] }
  | { readonly type: "stopPrecache"; readonly id: number }
  | { readonly type: "uploadOutput"; readonly upload: number; readonly bytes: Uint8Array }
  | { readonly type: "saveResults"; readonly entries: readonly OutboxEntry[] }
  | { readonly type: "forgetResults"; readonly keys: readonly LeaseKey[] }
  | {
      readonly type: "writeLog";
      readonly level: "debug" | "info" | "warn";
      readonly message: string;
      readonly details?: Record<string, unknown>;
    }
  /** Everything has ended; drains resolve. */
  | { readonly type: "finishStop" };
