import * as v from "valibot";
import { blobNameSchema, dataReferenceSchema } from "../data-reference.ts";
import { jobIdSchema, sha256Schema, taskIndexSchema } from "../ids.ts";
import { jobDefaults, limits } from "../limits.ts";
import { failureKinds } from "./protocol.ts";

/**
 * Shapes of the REST interface: one definition, from which the server validates, the SDK takes its types and
 * `/api/openapi.json` is made. Values (inputs, outputs) stand in JSON as shared/wire/codec.ts writes them; in MessagePack
 * bodies they are opaque encoded bytes, or `{sha256, size}` of the blob that holds the encoded bytes.
 */
const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const integer = (min: number, max: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));

export const contentTypes = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  msgpack: "application/x-msgpack",
  /** Tasks as columns: shared/wire/task-pack.ts. */
  taskPack: "application/x-manyhands-tasks",
  /** Results as columns, in frames: shared/wire/result-pack.ts. */
  resultPack: "application/x-manyhands-results",
} as const;

/** Which clients may run a job. */
const requirementsSchema = v.strictObject({
  kind: v.optional(v.picklist(["browser", "node"])),
  /** Memory a slot of the client must have. */
  memoryMb: v.optional(integer(0, limits.maxMemoryMb)),
  webgpu: v.optional(v.boolean()),
  /** Only clients that joined with a client token, never volunteers. */
  trusted: v.optional(v.boolean()),
});
export type Requirements = v.InferOutput<typeof requirementsSchema>;

/** A key that begins so is of one run of one program: nobody will come back with it. */
export const onceKeyPrefix = "once-";

/** Name of a group of jobs. */
export const groupSchema = text(limits.nameChars);

const jobOptionsSchema = v.strictObject({
  name: v.optional(text(limits.nameChars), "job"),
  /**
   * Makes submission idempotent: the same key of the same customer names the same job, also after the customer was
   * killed and started again. The SDK always sends one.
   */
  key: v.optional(text(limits.nameChars)),
  priority: v.optional(integer(limits.minPriority, limits.maxPriority), jobDefaults.priority),
  maxAttempts: v.optional(integer(1, limits.maxAttempts), jobDefaults.maxAttempts),
  timeoutMs: v.optional(integer(limits.minTimeoutMs, limits.maxTimeoutMs), jobDefaults.timeoutMs),
  memoryMb: v.optional(integer(limits.minMemoryMb, limits.maxMemoryMb), jobDefaults.memoryMb),
  /** Seeds `ctx.random`: the same seed gives the same streams. */
  seed: v.optional(text(limits.nameChars), "0"),
  requires: v.optional(requirementsSchema, {}),
  /** The job ends, as quarantined, when its first tasks all fail alike; `false`: every task is tried, however many fail. */
  failFast: v.optional(v.boolean(), true),
  /** Jobs of one group are listed and cancelled together. */
  group: v.optional(groupSchema),
  /**
   * Jobs that must finish without a failed task before any task of this one is handed out. Only jobs that exist can be
   * named, so there are no cycles. One that ends otherwise blocks this job.
   */
  after: v.optional(v.pipe(v.array(jobIdSchema), v.maxLength(limits.afterJobs))),
});
/** Options of a job with every default filled in. */
export type JobOptions = v.InferOutput<typeof jobOptionsSchema>;
/** Options of a job as a customer gives them. */
export type JobOptionsInput = v.InferInput<typeof jobOptionsSchema>;

export const createJobSchema = v.strictObject({
  ...jobOptionsSchema.entries,
  /** SHA-256 of a kernel posted before, or its source text (an ES module with a default export). */
  kernel: v.union([
    sha256Schema,
    v.strictObject({ source: v.pipe(v.string(), v.minLength(1), v.maxLength(limits.kernelBytes)) }),
  ]),
  /** JSON only: inputs inline, as tasks 0, 1, 2 …; a job made with inputs is closed at once unless `open` is true. */
  inputs: v.optional(v.pipe(v.array(v.unknown()), v.maxLength(100_000))),
  /** Keep the job open for more tasks although `inputs` were given. */
  open: v.optional(v.boolean(), false),
});

/** One line of `POST /api/jobs/{id}/tasks` in NDJSON. Without `index` the tasks are numbered on from the last one. */
export const taskLineSchema = v.strictObject({ index: v.optional(taskIndexSchema), input: v.unknown() });

/** One item of the MessagePack stream of `POST /api/jobs/{id}/tasks`. */
export const taskItemSchema = v.strictObject({
  index: taskIndexSchema,
  input: v.union([
    v.custom<Uint8Array>((value) => value instanceof Uint8Array, "expected bytes"),
    blobNameSchema,
  ]),
  refs: v.optional(v.pipe(v.array(blobNameSchema), v.maxLength(limits.refsPerTask))),
});

/**
 * Subprotocol of the WebSocket at `/api/jobs/{id}/tasks`: each binary message is a task pack, each is answered, in order, by the
 * {@link Submitted} of it as JSON text.
 */
export const submitSubprotocol = "manyhands-tasks";

export const submittedSchema = v.strictObject({
  /** Tasks of this request that were new. */
  added: integer(0, Number.MAX_SAFE_INTEGER),
  /** Tasks of this request that were there already with the same input. */
  repeated: integer(0, Number.MAX_SAFE_INTEGER),
  /** Tasks the job has now. */
  total: integer(0, Number.MAX_SAFE_INTEGER),
});
export type Submitted = v.InferOutput<typeof submittedSchema>;

/**
 * `open`: takes more tasks. `closed`: no more tasks, work goes on. `finished`: every task is done or failed.
 * `cancelled`: every task that had not ended is cancelled. `quarantined`: the kernel killed its clients; every task that
 * had not ended is failed. `blocked`: a job that it came `after` did not finish well, so every task is failed.
 */
const jobStates = ["open", "closed", "finished", "cancelled", "quarantined", "blocked"] as const;
export type JobState = (typeof jobStates)[number];

/** Whether a job in this state takes no more outcomes; only requeueing opens it again. */
export function hasEnded(state: JobState): boolean {
  return state !== "open" && state !== "closed";
}

/** `active`: not ended. `running`: clients have tasks of it. `failing`: a task failed, or it ended for a failure. */
export const jobListStates = ["active", "running", "failing", "ended", ...jobStates] as const;
export type JobListState = (typeof jobListStates)[number];

/** The query of `GET /api/jobs`. */
export const jobQuerySchema = v.strictObject({
  group: v.optional(groupSchema),
  /** Words that each stand somewhere in name, customer or group, or begin the id. */
  search: v.optional(v.pipe(v.string(), v.maxLength(limits.nameChars))),
  state: v.optional(v.picklist(jobListStates)),
  limit: v.optional(
    v.pipe(v.string(), v.digits("expected a whole number"), v.toNumber(), integer(1, limits.jobsPerPage)),
  ),
  cursor: v.optional(v.pipe(v.string(), v.regex(/^\d{1,15}$/, "expected what Next-Cursor said"))),
});
/** Header of a page of jobs that names the next one, as `cursor` of the query; absent on the last. */
export const nextCursorHeader = "Next-Cursor";

const jobCountsSchema = v.strictObject({
  total: v.number(),
  queued: v.number(),
  running: v.number(),
  done: v.number(),
  failed: v.number(),
  cancelled: v.number(),
});
export type JobCounts = v.InferOutput<typeof jobCountsSchema>;

export const taskFailureSchema = v.strictObject({
  index: taskIndexSchema,
  kind: v.picklist([...failureKinds, "lost", "quarantined", "blocked"]),
  message: v.string(),
  stack: v.optional(v.string()),
  attempts: v.number(),
  /** The client of the last attempt. */
  client: v.optional(v.string()),
});
/**
 * Why a task failed for good. `lost`: its clients went away; `quarantined`: it killed several distinct clients; `blocked`: a
 * job that its job came after did not finish well.
 */
export type TaskFailure = v.InferOutput<typeof taskFailureSchema>;

export const jobSchema = v.strictObject({
  id: jobIdSchema,
  ...jobOptionsSchema.entries,
  customer: v.string(),
  kernel: blobNameSchema,
  state: v.picklist(jobStates),
  paused: v.boolean(),
  /** Of `after`, the jobs that have not finished yet. While there are any, nothing of this job is computed. */
  waitingFor: v.array(jobIdSchema),
  counts: jobCountsSchema,
  /** Work that is over, 0 … 1: tasks that have ended, and of running ones the share that their kernels last told. */
  fraction: v.number(),
  /** Tasks per second over the last minute. */
  rate: v.number(),
  /** Milliseconds until the job ends at this rate; null when unknown. */
  estimatedMs: v.nullable(v.number()),
  /** The first failures, up to 20. */
  failures: v.array(taskFailureSchema),
  /** Times in ms since the Unix epoch. */
  createdAt: v.number(),
  endedAt: v.nullable(v.number()),
  /** Sequence number of the newest result. */
  lastSeq: v.number(),
});
export type JobInfo = v.InferOutput<typeof jobSchema>;

/** How a job stands: a line of `GET /api/jobs/{id}/progress`, and the part of a {@link JobInfo} that moves. */
export const jobProgressSchema = v.strictObject({
  state: jobSchema.entries.state,
  paused: jobSchema.entries.paused,
  waitingFor: jobSchema.entries.waitingFor,
  counts: jobSchema.entries.counts,
  fraction: jobSchema.entries.fraction,
  rate: jobSchema.entries.rate,
  estimatedMs: jobSchema.entries.estimatedMs,
});
export type JobProgress = v.InferOutput<typeof jobProgressSchema>;

/**
 * One item of `GET /api/jobs/{id}/results`, in completion order. In JSON `output` is the value, whatever
 * its size; in MessagePack `output` is encoded bytes or `{sha256, size}`.
 */
export const resultLineSchema = v.variant("state", [
  v.strictObject({
    state: v.literal("done"),
    seq: v.number(),
    index: taskIndexSchema,
    output: v.optional(v.unknown()),
  }),
  v.strictObject({ state: v.literal("failed"), seq: v.number(), ...taskFailureSchema.entries }),
  /** Last item of a stream that reached the end of the job: nothing will follow. */
  v.strictObject({ state: v.literal("end"), job: v.picklist(jobStates), counts: jobCountsSchema }),
]);
export type ResultLine = v.InferOutput<typeof resultLineSchema>;

/** What `POST /api/precache` takes. */
export const precacheSchema = v.strictObject({
  /** Whole blobs, or ranges of them. */
  refs: v.pipe(v.array(dataReferenceSchema), v.minLength(1), v.maxLength(limits.precacheRefs)),
  /** Which clients are to have it; absent: all. */
  requires: v.optional(requirementsSchema, {}),
  /** Wait until so many clients have it, or as much of it as they will; with 0 nobody need be there. */
  atLeast: v.optional(integer(0, 1_000_000), 1),
  /** Go on when all have it, for clients that join later, until the request is ended. */
  stay: v.optional(v.boolean(), false),
});
export type PrecacheInput = v.InferInput<typeof precacheSchema>;

/** How a precache stands: a line of what `POST /api/precache` answers. */
export const precacheProgressSchema = v.strictObject({
  /** Nobody is at it any more, and enough clients were. */
  done: v.boolean(),
  /** Bytes that each client is to have: parts that overlap count once, ranges of large blobs in whole chunks. */
  bytes: v.number(),
  /** Clients that are asked: those connected now. */
  clients: v.number(),
  /** Of those, the ones that have all of it. */
  have: v.number(),
  /** The ones that will not have all of it: too small a cache, a fetch that failed. `problems` says why. */
  short: v.number(),
  /** The ones whose person paused them; they are not waited for. */
  paused: v.number(),
  /** Bytes that the clients have of it, all together; of `bytes` × `clients`. */
  haveBytes: v.number(),
  /** The first of those that are short, up to 20. */
  problems: v.array(
    v.strictObject({ client: v.string(), name: v.string(), missedBytes: v.number(), message: v.string() }),
  ),
});
export type PrecacheProgress = v.InferOutput<typeof precacheProgressSchema>;

/** What `POST /api/groups/{group}/cancel` answers. */
export const cancelledGroupSchema = v.strictObject({
  group: v.string(),
  /** The jobs that were at work or waiting, newest first; those that had ended stay as they are. */
  cancelled: v.array(jobSchema),
});
export type CancelledGroup = v.InferOutput<typeof cancelledGroupSchema>;

export const clientInfoSchema = v.strictObject({
  id: v.string(),
  name: v.string(),
  kind: v.picklist(["browser", "node"]),
  trusted: v.boolean(),
  address: v.string(),
  connected: v.boolean(),
  slots: v.number(),
  memoryMb: v.number(),
  webgpu: v.boolean(),
  /** What it holds now. */
  leases: v.number(),
  /** The oldest of them: what it most likely computes. */
  current: v.array(v.strictObject({ job: jobIdSchema, index: taskIndexSchema, progress: v.number() })),
  done: v.number(),
  failed: v.number(),
  /** Share of data references found in its cache when their task was leased, 0 … 1; null before the first. */
  cacheHitRatio: v.nullable(v.number()),
  connectedAt: v.number(),
  lastSeenAt: v.number(),
});
export type ClientInfo = v.InferOutput<typeof clientInfoSchema>;

export const banInfoSchema = v.strictObject({
  /** Client id or address. */
  subject: v.string(),
  reason: v.string(),
  at: v.number(),
});
export type BanInfo = v.InferOutput<typeof banInfoSchema>;

export const statusSchema = v.strictObject({
  version: v.string(),
  startedAt: v.number(),
  volunteers: v.picklist(["open", "invite", "off"]),
  volunteerUrls: v.array(v.string()),
  jobs: v.number(),
  clients: v.strictObject({ browser: v.number(), node: v.number(), slots: v.number(), busy: v.number() }),
  tasks: v.strictObject({
    queued: v.number(),
    running: v.number(),
    done: v.number(),
    failed: v.number(),
    droppedResults: v.number(),
  }),
  /** Results a second, over the last ten seconds. */
  rate: v.number(),
  blobs: v.strictObject({ count: v.number(), bytes: v.number(), quotaBytes: v.number() }),
});
export type ServerStatus = v.InferOutput<typeof statusSchema>;

const kindCapacitySchema = v.strictObject({
  /** Connected now. */
  clients: v.number(),
  slots: v.number(),
  /** Slots that have a task. */
  busy: v.number(),
  /** Run time of a task on one slot in ms, over the tasks done most recently (half-life a minute); null before the first. */
  meanTaskMs: v.nullable(v.number()),
});

/** What `GET /api/capacity` answers: the computer that the clients make together. */
export const capacitySchema = v.strictObject({
  clients: v.number(),
  slots: v.number(),
  busy: v.number(),
  /** Measured: tasks done a second over the last ten seconds. */
  rate: v.number(),
  /**
   * Expected: tasks a second if every slot computed tasks such as those done lately, each kind of client at its own measured
   * speed; dispatch and transfers are not in it. Null before the first task is done.
   */
  tasksPerSecond: v.nullable(v.number()),
  kinds: v.strictObject({ browser: kindCapacitySchema, node: kindCapacitySchema }),
});
export type Capacity = v.InferOutput<typeof capacitySchema>;

/** What the admin page is pushed (server-sent events, `GET /api/events`): the whole picture, about once a second. */
export const snapshotSchema = v.strictObject({
  status: statusSchema,
  /** Up to 100: those that run, that fail, that failed lately; then those that wait, then those that are over. */
  jobs: v.array(jobSchema),
  /** How many jobs there are. */
  jobCount: v.number(),
  clients: v.array(clientInfoSchema),
  /** Results a second, one number for each of the last 300 seconds, oldest first. */
  throughput: v.array(v.number()),
});
export type Snapshot = v.InferOutput<typeof snapshotSchema>;

export const roles = ["admin", "customer", "client", "volunteer"] as const;
export type Role = (typeof roles)[number];

export const createTokenSchema = v.strictObject({
  role: v.picklist(roles),
  name: text(limits.nameChars),
  /** Lifetime in seconds; absent: until revoked. */
  expiresInSeconds: v.optional(integer(1, 10 * 365 * 24 * 3600)),
});
export const tokenInfoSchema = v.strictObject({
  id: v.string(),
  role: v.picklist(roles),
  name: v.string(),
  createdAt: v.number(),
  expiresAt: v.nullable(v.number()),
  lastUsedAt: v.nullable(v.number()),
});
export type TokenInfo = v.InferOutput<typeof tokenInfoSchema>;
/** The secret is shown once, here. */
export const createdTokenSchema = v.strictObject({
  ...tokenInfoSchema.entries,
  token: v.string(),
  inviteUrl: v.optional(v.string()),
});
export type CreatedToken = v.InferOutput<typeof createdTokenSchema>;

export const kernelInfoSchema = v.strictObject({ sha256: sha256Schema, size: v.number() });
export const prioritySchema = v.strictObject({ priority: integer(limits.minPriority, limits.maxPriority) });
