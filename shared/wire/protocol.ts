import * as v from "valibot";
import { blobNameSchema } from "../data-reference.ts";
import { errorCodes, PlatformError } from "../errors.ts";
import { identitySchema } from "./identity.ts";
import { jobIdSchema, sha256Schema, taskIndexSchema, type TaskIndex } from "../ids.ts";
import { limits } from "../limits.ts";
import { commandNameSchema, maxCommands } from "./command-name.ts";
import { kernelSignatureSchema, signerKeySchema, trustedKeys } from "./kernel-signature.ts";
import { precacheItemSchema } from "./precache.ts";
import { version } from "../version.ts";
import { messagePackBounds } from "./messagepack-walk.ts";
import { MessagePack } from "./messagepack.ts";
import { plainBytes } from "./plain-bytes.ts";
import { bytes, leaseKeySchema, text } from "./task.ts";
import { leaseColumns, leasedTasksSchema, resultColumns, taskResultsSchema } from "./task-columns.ts";
import { isColumn } from "./column-pack.ts";

export {
  failureKinds,
  taskResultSchema,
  type Failure,
  type FailureKind,
  type LeasedTask,
  type LeaseKey,
  type Payload,
  type TaskOutcome,
  type TaskResult,
  type VerifyingCall,
} from "./task.ts";

/**
 * The protocol between server and clients (SPEC.md, "Protocol"): one WebSocket, binary frames, each frame a MessagePack array
 * of messages. Every message is defined here once; types are inferred from the schemas.
 */
export const protocolVersion = 4;

/** The WebSocket subprotocol. The version is in `hello` instead, so that an old client gets a refusal with a remedy. */
export const subprotocol = "manyhands";

/** The same with frames that may come compressed (SPEC.md [MILES-7]). */
export const deflateSubprotocol = "manyhands.deflate";

/** Path of the client WebSocket. */
export const clientSocketPath = "/socket";

/** Largest kernel that comes with a lease. Larger ones are fetched, so that no lease waits for their bytes. */
export const leasedKernelBytes = 16 * 1024;

const count = (max: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(max));
const list = <const S extends v.GenericSchema>(item: S, max: number) =>
  v.pipe(v.array(item), v.maxLength(max));

/** The properties of a job that a client needs to run its tasks and to show for whom it computes. */
const jobDescriptorSchema = v.strictObject({
  id: jobIdSchema,
  name: text(limits.nameChars),
  customer: text(limits.nameChars),
  kernel: blobNameSchema,
  signature: v.optional(kernelSignatureSchema),
  /** Seeds `ctx.random`, together with the task's index. */
  seed: text(limits.nameChars),
  timeoutMs: count(limits.maxTimeoutMs),
  memoryMb: count(limits.maxMemoryMb),
  /** The kernel uses globals that differ between engines, and needs the same values of them on every client (SPEC.md [BITS-1]). */
  portable: v.optional(v.literal(true)),
  /** The command of the client's machine that the kernel may run (SPEC.md [COMMAND-1]). */
  command: v.optional(commandNameSchema),
  /** The kernel has WebGPU (SPEC.md [GPU-1]). Clients without it get no task of such a job. */
  webgpu: v.optional(v.literal(true)),
  /** What the job is for, in the words of its customer. */
  description: v.optional(text(limits.descriptionChars)),
});
export type JobDescriptor = v.InferOutput<typeof jobDescriptorSchema>;

/** A loop checks the indexes, because a schema for each number costs 0.1 µs a task. */
const indexes = v.custom<TaskIndex[]>(
  (value) =>
    Array.isArray(value) &&
    value.length <= limits.tasksPerMessage &&
    isColumn(value, value.length, 0, limits.maxTaskIndex),
  "expected a list of task indexes",
);

const clientMessages = [
  v.strictObject({
    type: v.literal("hello"),
    protocol: v.pipe(v.number(), v.integer(), v.minValue(0)),
    version: text(40),
    /** Identity that the server made for this client earlier; absent on the first visit. */
    identity: v.optional(identitySchema),
    kind: v.picklist(["browser", "node"]),
    name: text(limits.nameChars),
    /** Access token (client role) or invitation; absent for an open volunteer. */
    token: v.optional(text(200)),
    slots: count(limits.slotsPerClient),
    memoryMb: count(16 * 1024 * 1024),
    webgpu: v.boolean(),
    /** Keys of trusted signers: the client runs only kernels that one of these keys signed. Absent: any kernel. */
    trusts: v.optional(list(signerKeySchema, trustedKeys)),
    /** Commands that the client's owner allows; of a client that is not trusted they mean nothing. */
    commands: v.optional(list(commandNameSchema, maxCommands)),
    /** Leases from before a disconnect that the client still holds: running, queued, or finished and in its outbox. */
    held: list(leaseKeySchema, limits.tasksHeldPerClient),
    /** Blobs in the client's cache, most recently used first. */
    cached: list(sha256Schema, limits.cachedPerMessage),
  }),
  /**
   * Credit: the client is willing to hold up to `tasks` unfinished leases in all. The number is absolute, so repeating it is
   * harmless; 0 asks for no more tasks (paused, draining). `webgpu`: what hello said of it is no longer true.
   */
  v.strictObject({
    type: v.literal("want"),
    tasks: count(limits.tasksHeldPerClient),
    slots: count(limits.slotsPerClient),
    webgpu: v.optional(v.boolean()),
  }),
  v.strictObject({
    type: v.literal("results"),
    job: jobIdSchema,
    results: taskResultsSchema,
  }),
  v.strictObject({
    type: v.literal("progress"),
    progress: list(
      v.strictObject({
        ...leaseKeySchema.entries,
        fraction: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
      }),
      limits.tasksPerMessage,
    ),
  }),
  v.strictObject({
    type: v.literal("checkpoint"),
    ...leaseKeySchema.entries,
    state: bytes(limits.checkpointBytes),
  }),
  v.strictObject({
    type: v.literal("log"),
    job: jobIdSchema,
    index: taskIndexSchema,
    lines: list(text(limits.logLineChars), limits.logLinesPerMessage),
  }),
  /** Hands leases back: they do not count as attempts. */
  v.strictObject({ type: v.literal("release"), leases: list(leaseKeySchema, limits.tasksHeldPerClient) }),
  v.strictObject({
    type: v.literal("cached"),
    added: list(sha256Schema, limits.cachedPerMessage),
    removed: list(sha256Schema, limits.cachedPerMessage),
  }),
  /**
   * Progress of a `precache`: bytes in the client's cache, and bytes that it will not hold (`reason` says why). `done`: no
   * transfer of the precache is under way. Coalesced.
   */
  v.strictObject({
    type: v.literal("precached"),
    id: count(Number.MAX_SAFE_INTEGER),
    state: v.picklist(["fetching", "paused", "done"]),
    haveBytes: count(Number.MAX_SAFE_INTEGER),
    missedBytes: count(Number.MAX_SAFE_INTEGER),
    reason: v.optional(text(limits.messageChars)),
  }),
  /** The client leaves for good: all its leases return at once. */
  v.strictObject({ type: v.literal("goodbye") }),
] as const;

const serverAddresses = list(
  v.pipe(
    text(limits.addressChars),
    v.check((address: string) => URL.canParse(address)),
    v.regex(/^https?:.*\/$/),
  ),
  limits.servers,
);

const serverMessages = [
  v.strictObject({
    type: v.literal("welcome"),
    version: text(40),
    /** The identity of this connection: that of `hello`, or a fresh identity when `hello` proved none. */
    identity: identitySchema,
    /** Bearer token for this client's blob transfers over HTTP; good while the client is connected or within its grace time. */
    ticket: text(200),
    /** The client hears from the server at least this often. */
    heartbeatMs: count(600_000),
    /** Leases among `held` that are no longer this client's: the client stops their tasks and forgets their results. */
    dropped: list(leaseKeySchema, limits.tasksHeldPerClient),
    /** Addresses of the servers that the client may go to, each with a slash at its end; absent where there is one server. */
    servers: v.optional(serverAddresses),
  }),
  /** The connection is refused; the close frame follows. */
  v.strictObject({
    type: v.literal("refuse"),
    code: v.picklist(errorCodes),
    message: text(limits.messageChars),
    remedy: text(limits.messageChars),
    retryable: v.boolean(),
  }),
  v.strictObject({
    type: v.literal("lease"),
    job: jobDescriptorSchema,
    tasks: leasedTasksSchema,
    /** The source of the job's kernel, if it is small and the client seems not to have it (SPEC.md [KERNEL-10]). */
    kernel: v.optional(bytes(leasedKernelBytes)),
  }),
  /** Acknowledges results that are on disk, or were dropped as duplicates: the client may forget them. */
  v.strictObject({
    type: v.literal("accepted"),
    job: jobIdSchema,
    indexes,
    /** The results are provisional; a `verdict` says later what becomes of them. */
    provisional: v.optional(v.literal(true)),
  }),
  /** Fate of provisional results: they are outcomes now (`checked`: another computation agreed), or withdrawn. */
  v.strictObject({
    type: v.literal("verdict"),
    job: jobIdSchema,
    state: v.picklist(["accepted", "checked", "withdrawn"]),
    indexes,
  }),
  /** Stops these tasks: the worker is terminated, and no result is reported. Absent `indexes`: every task of the job. */
  v.strictObject({ type: v.literal("cancel"), job: jobIdSchema, indexes: v.optional(indexes) }),
  /**
   * A customer wants these items in the cache before tasks need them. The message stands until `precacheEnd`, or the end of the
   * connection.
   */
  v.strictObject({
    type: v.literal("precache"),
    id: count(Number.MAX_SAFE_INTEGER),
    blobs: list(precacheItemSchema, limits.precacheRefs),
  }),
  /** Ends a precache; cached bytes stay as those of any blob do. */
  v.strictObject({ type: v.literal("precacheEnd"), id: count(Number.MAX_SAFE_INTEGER) }),
  /**
   * `servers`: those of the welcome, when they have changed since. `idle`: why the server has no task for the client now, of so many jobs
   * ([IDLE-1]); the words are open, so that later servers may have others. `reload`: an administrator asks the client to finish what it
   * runs, and to begin anew in the version that the server has ([CLIENTS-3]).
   */
  v.strictObject({
    type: v.literal("heartbeat"),
    servers: v.optional(serverAddresses),
    reload: v.optional(v.literal(true)),
    idle: v.optional(
      v.strictObject({
        reason: text(40),
        jobs: count(Number.MAX_SAFE_INTEGER),
        needs: v.optional(text(40)),
      }),
    ),
  }),
  /** The server closes this connection; reconnect after about `afterMs`. */
  v.strictObject({ type: v.literal("bye"), reason: text(limits.messageChars), afterMs: count(600_000) }),
] as const;

const clientMessageSchema = v.variant("type", clientMessages);
const serverMessageSchema = v.variant("type", serverMessages);
/** Client → server. */
export type ClientMessage = v.InferOutput<typeof clientMessageSchema>;
/** Server → client. */
export type ServerMessage = v.InferOutput<typeof serverMessageSchema>;
/** Provisional results that were accepted or withdrawn. */
export type Verdict = Extract<ServerMessage, { type: "verdict" }>;
/** Why a server has no task for a client. */
export type IdleReason = NonNullable<Extract<ServerMessage, { type: "heartbeat" }>["idle"]>;

const clientFrameSchema = v.pipe(v.array(clientMessageSchema), v.maxLength(limits.messagesPerFrame));
const serverFrameSchema = v.pipe(v.array(serverMessageSchema), v.maxLength(limits.messagesPerFrame));

const frames = new MessagePack(messagePackBounds.frame);

/** Encodes messages as one frame. */
export function encodeFrame(messages: readonly (ClientMessage | ServerMessage)[]): Uint8Array {
  return frames.encode(messages.map(toWire));
}

function toWire(message: ClientMessage | ServerMessage): unknown {
  if (message.type === "lease") return { ...message, tasks: leaseColumns(message.tasks) };
  if (message.type === "results") return { ...message, results: resultColumns(message.results) };
  return message;
}

/** Decodes and validates a frame from a client. @throws PlatformError MALFORMED_FRAME, UPGRADE_REQUIRED */
export function decodeClientFrame(frame: Uint8Array): ClientMessage[] {
  return decodeFrame(frame, clientFrameSchema, refuseOtherVersions);
}

/** A hello of another version need not have the shape of a hello of this version. */
function refuseOtherVersions(raw: unknown): void {
  const first: unknown = Array.isArray(raw) ? raw[0] : undefined;
  if (typeof first !== "object" || first === null) return;
  const { type, protocol, version: theirs } = first as Record<string, unknown>;
  if (type !== "hello" || !Number.isInteger(protocol) || protocol === protocolVersion) return;
  const client = typeof theirs === "string" ? `This client (${theirs.slice(0, 40)})` : "This client";
  throw new PlatformError(
    "UPGRADE_REQUIRED",
    `${client} speaks protocol ${String(protocol)}; the server (${version}) speaks ${protocolVersion}.`,
  );
}

/** Decodes and validates a frame from the server. @throws PlatformError MALFORMED_FRAME */
export function decodeServerFrame(frame: Uint8Array): ServerMessage[] {
  return decodeFrame(frame, serverFrameSchema);
}

function decodeFrame<S extends v.GenericSchema>(
  frame: Uint8Array,
  schema: S,
  precheck?: (raw: unknown) => void,
): v.InferOutput<S> {
  if (frame.length > limits.frameBytes)
    throw new PlatformError(
      "MALFORMED_FRAME",
      `A frame of ${frame.length} bytes; at most ${limits.frameBytes} are allowed.`,
    );
  let raw: unknown;
  try {
    raw = frames.decode(plainBytes(frame));
  } catch (error) {
    throw new PlatformError("MALFORMED_FRAME", "The frame is not MessagePack.", error);
  }
  precheck?.(raw);
  const parsed = v.safeParse(schema, raw, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const path = v.getDotPath(issue) ?? "frame";
  throw new PlatformError("MALFORMED_FRAME", `In ${path}: ${issue.message}.`.slice(0, limits.messageChars));
}
