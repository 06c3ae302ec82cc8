import * as v from "valibot";
import { blobNameSchema, dataReferenceSchema } from "../data-reference.ts";
import { jobIdSchema, sha256Schema, taskIndexSchema } from "../ids.ts";
import { jobDefaults, limits, recordLimits } from "../limits.ts";
import { kernelSignatureSchema } from "./kernel-signature.ts";
import { failureKinds } from "./protocol.ts";

/**
 * Shapes of the REST interface, defined once: the server validates with them, the SDK takes its types from them, and
 * `/api/openapi.json` is made from them. Values (inputs, outputs) are in JSON as shared/wire/value-json.ts writes them; in
 * MessagePack bodies they are opaque encoded bytes, or `{sha256, size}` of the blob that holds the encoded bytes.
 *
 * A request has these properties and no other. A reply may have others, which a later version of the server adds, and those
 * that 0.2.0 does not have are optional (SPEC.md [UPGRADE-3]).
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

/** Demands on the clients that may run a job. */
const requirementsSchema = v.strictObject({
  kind: v.optional(v.picklist(["browser", "node"])),
  /** Memory in MB that a slot of the client must have. */
  memoryMb: v.optional(integer(0, limits.maxMemoryMb)),
  webgpu: v.optional(v.boolean()),
  /** Only clients that joined with a client token, no volunteers. */
  trusted: v.optional(v.boolean()),
});
export type Requirements = v.InferOutput<typeof requirementsSchema>;

const verifySchema = v.union([
  v.picklist(["off", "audit", "trusted"]),
  v.strictObject({ quorum: integer(2, limits.maxQuorum) }),
]);
/**
 * Verification of the results of strangers. `off`: none. `audit`: some of them are computed again by trusted clients. `{quorum: n}`: n
 * cohorts have to give agreeing results. `trusted`: strangers get no task.
 */
export type Verify = v.InferOutput<typeof verifySchema>;

const tolerance = v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)));
const compareSchema = v.union([
  v.picklist(["bits", "kernel"]),
  v.strictObject({ abs: tolerance, rel: tolerance }),
]);
/**
 * Condition on which two results agree. `bits`: they have the same bytes. `{abs, rel}`: they have the same form, and numbers a and b in one place
 * differ by at most `max(abs, rel · max(|a|, |b|))`. `kernel`: the kernel module's `compare(a, b)` says so.
 */
export type Compare = v.InferOutput<typeof compareSchema>;

/** The body of `PUT /api/jobs/{id}/verify`; an absent option stays as it is. */
export const setVerifySchema = v.strictObject({
  verify: v.optional(verifySchema),
  compare: v.optional(compareSchema),
});
export type SetVerify = v.InferOutput<typeof setVerifySchema>;

/** Prefix of a key for one run of one program: no later run has the same key. */
export const onceKeyPrefix = "once-";

/** Name of a group of jobs. */
export const groupSchema = text(limits.nameChars);

const jobOptionsSchema = v.strictObject({
  name: v.optional(text(limits.nameChars), "job"),
  /** What the job is for, for the people whose machines compute it. */
  description: v.optional(text(limits.descriptionChars)),
  /**
   * Makes submission idempotent: a key of a customer names one job, also after the customer was killed and started again. The
   * SDK always sends a key.
   */
  key: v.optional(text(limits.nameChars)),
  priority: v.optional(integer(limits.minPriority, limits.maxPriority), jobDefaults.priority),
  maxAttempts: v.optional(integer(1, limits.maxAttempts), jobDefaults.maxAttempts),
  timeoutMs: v.optional(integer(limits.minTimeoutMs, limits.maxTimeoutMs), jobDefaults.timeoutMs),
  memoryMb: v.optional(integer(limits.minMemoryMb, limits.maxMemoryMb), jobDefaults.memoryMb),
  /** Seeds `ctx.random`: the same seed gives the same streams. */
  seed: v.optional(text(limits.nameChars), "0"),
  requires: v.optional(requirementsSchema, {}),
  /** Of the kernel: clients that trust certain signers run nothing else. */
  signature: v.optional(kernelSignatureSchema),
  /**
   * With `true` the job is quarantined when its first tasks all fail alike; with `false` every task is tried, however many
   * fail.
   */
  failFast: v.optional(v.boolean(), true),
  /**
   * `portable`: the functions of `Math` give the same bits on every client; randomness and clocks throw, and languages and time zones are
   * absent. `native`: all of these are those of the client's engine.
   */
  math: v.optional(v.picklist(["portable", "native"]), "portable"),
  verify: v.optional(verifySchema, "audit"),
  compare: v.optional(compareSchema, "bits"),
  /**
   * The kernel module's `check(input, output)` and `suspicious(output)` look at every result of a stranger, in a trusted client's sandbox.
   */
  check: v.optional(v.boolean(), false),
  /**
   * Time in ms that the job is kept after its end; then it is deleted with its results. Absent: as long as the server keeps jobs, which may
   * be shorter than what is given here.
   */
  keepMs: v.optional(integer(60_000, 10 * 365 * 24 * 3_600_000)),
  /** Jobs of one group are listed and cancelled together. */
  group: v.optional(groupSchema),
  /** The public page of the project, where there is one, tells the job's name and its customer's. */
  public: v.optional(v.boolean()),
  /**
   * Jobs that must finish without a failed task before a task of this job is handed out. Only jobs that exist can be named, so
   * there are no cycles. A job among them that ends otherwise blocks this job.
   */
  after: v.optional(v.pipe(v.array(jobIdSchema), v.maxLength(limits.afterJobs))),
  /**
   * The job whose outputs are the inputs of this job: each is passed on when it is accepted, to the task of the same index. The job
   * takes no other inputs, and is closed after that job has finished. Where a task of that job failed, this job's task is failed.
   */
  inputsFrom: v.optional(jobIdSchema),
  /**
   * Number of neighbouring tasks of `inputsFrom` whose outputs, as an array, are one input; the last input may have fewer. Absent: an
   * input is one output.
   */
  outputsPerTask: v.optional(integer(2, limits.outputsPerTask)),
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
  /** JSON only: inputs inline, as tasks 0, 1, 2 …; a job with inputs is closed at once unless `open` is true. */
  inputs: v.optional(v.pipe(v.array(v.unknown()), v.maxLength(100_000))),
  /** Keeps the job open for more tasks although `inputs` were given. */
  open: v.optional(v.boolean(), false),
});

/** A line of `POST /api/jobs/{id}/tasks` in NDJSON. Tasks without `index` continue the numbering after the last task. */
export const taskLineSchema = v.strictObject({ index: v.optional(taskIndexSchema), input: v.unknown() });

/** Item of the MessagePack stream of `POST /api/jobs/{id}/tasks`. */
export const taskItemSchema = v.strictObject({
  index: taskIndexSchema,
  input: v.union([
    v.custom<Uint8Array>((value) => value instanceof Uint8Array, "expected bytes"),
    blobNameSchema,
  ]),
  refs: v.optional(v.pipe(v.array(blobNameSchema), v.maxLength(limits.refsPerTask))),
});

/**
 * Subprotocol of the WebSocket at `/api/jobs/{id}/tasks`: each binary message is a task pack, and the server answers each pack,
 * in order, with a {@link Submitted} as JSON text.
 */
export const submitSubprotocol = "manyhands-tasks";

export const submittedSchema = v.object({
  /** New tasks of this request. */
  added: integer(0, Number.MAX_SAFE_INTEGER),
  /** Tasks of this request that the job already had with the same input. */
  repeated: integer(0, Number.MAX_SAFE_INTEGER),
  /** Tasks of the job now. */
  total: integer(0, Number.MAX_SAFE_INTEGER),
});
export type Submitted = v.InferOutput<typeof submittedSchema>;

/**
 * `open`: takes more tasks. `closed`: no more tasks, work goes on. `finished`: every task is done or failed. `cancelled`: every
 * unfinished task is cancelled. `quarantined`: the kernel killed its clients, and every unfinished task is failed. `blocked`: a
 * job that this job came `after` did not finish well, so every task is failed.
 */
const jobStates = ["open", "closed", "finished", "cancelled", "quarantined", "blocked"] as const;
export type JobState = (typeof jobStates)[number];

/** Whether a job in this state takes no more outcomes; requeueing can open the job again. */
export function hasEnded(state: JobState): boolean {
  return state !== "open" && state !== "closed";
}

/**
 * `active`: not ended. `running`: clients have tasks of the job. `failing`: a task failed, or the job ended because of
 * failures.
 */
export const jobListStates = ["active", "running", "failing", "ended", ...jobStates] as const;
export type JobListState = (typeof jobListStates)[number];

/** Orders of a list of jobs; jobs that are equal in it stand in the order in which they were made. */
export const jobSorts = ["newest", "oldest", "name", "customer", "priority", "failed", "ended"] as const;
export type JobSort = (typeof jobSorts)[number];

/** The query of `GET /api/jobs`. */
export const jobQuerySchema = v.strictObject({
  group: v.optional(groupSchema),
  /** Words, each of which must occur in name, customer or group, or begin the id. */
  search: v.optional(v.pipe(v.string(), v.maxLength(limits.nameChars))),
  state: v.optional(v.picklist(jobListStates)),
  sort: v.optional(v.picklist(jobSorts)),
  limit: v.optional(
    v.pipe(v.string(), v.digits("expected a whole number"), v.toNumber(), integer(1, limits.jobsPerPage)),
  ),
  cursor: v.optional(
    v.pipe(v.string(), v.regex(/^\d{1,15}(?:\.[\w-]{1,2000})?$/, "expected what Next-Cursor said")),
  ),
});
/** Header of the reply to HEAD for a blob that is the caller's own; an admin sees others as well. */
export const ownBlobHeader = "X-Own-Blob";

/** Header that names the next page of a list of jobs, as `cursor` of the query; absent on the last page. */
export const nextCursorHeader = "Next-Cursor";

const jobCountsSchema = v.object({
  total: v.number(),
  queued: v.number(),
  running: v.number(),
  /** Tasks with results of strangers that are not accepted yet. */
  provisional: v.number(),
  done: v.number(),
  failed: v.number(),
  cancelled: v.number(),
});
export type JobCounts = v.InferOutput<typeof jobCountsSchema>;

/** The verification of a job's results of strangers so far, in numbers. */
export const statementSchema = v.object({
  /** Accepted results of strangers. */
  strangers: v.number(),
  /** Results of strangers that agreed with an audit, or with a quorum of other cohorts. */
  audited: v.number(),
  /** Accepted results of strangers that nobody there could have audited; they are not part of the sample behind `audited`. */
  unverified: v.number(),
  /** Results of strangers that `check` looked at. */
  checked: v.number(),
  /** Results of strangers that were found wrong. */
  wrong: v.number(),
  /** Results that were withdrawn; their tasks were computed again. */
  withdrawn: v.number(),
  /** Cohorts disagree with trusted clients, so that only trusted clients compute the job. */
  irreproducible: v.boolean(),
});
export type Statement = v.InferOutput<typeof statementSchema>;

export const taskFailureSchema = v.object({
  index: taskIndexSchema,
  kind: v.picklist([...failureKinds, "lost", "quarantined", "blocked"]),
  message: v.string(),
  stack: v.optional(v.string()),
  attempts: v.number(),
  /** The client of the last attempt. */
  client: v.optional(v.string()),
});
/**
 * Kind of a failure for good. `lost`: the task's clients went away; `quarantined`: its kernel killed several distinct clients;
 * `blocked`: a job that its job came after did not finish well.
 */
export type TaskFailure = v.InferOutput<typeof taskFailureSchema>;

export const jobSchema = v.object({
  id: jobIdSchema,
  ...jobOptionsSchema.entries,
  customer: v.string(),
  kernel: blobNameSchema,
  state: v.picklist(jobStates),
  paused: v.boolean(),
  /** Jobs of `after` that have not finished yet. While there are any, no task of this job is computed. */
  waitingFor: v.array(jobIdSchema),
  /** The customer's quota of stored bytes is full (`GET /api/usage`): no task is handed out before there is room. */
  quotaFull: v.boolean(),
  /**
   * Blobs and kernels of the job that are damaged on the server's disk: tasks that need them wait, and outputs in them cannot be read, until
   * they are put again.
   */
  missingData: v.optional(v.array(sha256Schema), []),
  counts: jobCountsSchema,
  statement: statementSchema,
  /** Finished share of the work, 0 … 1: ended tasks, and for running tasks the share that their kernels reported last. */
  fraction: v.number(),
  /** Tasks per second over the last minute. */
  rate: v.number(),
  /** Milliseconds until the job ends at this rate; null while unknown. */
  estimatedMs: v.nullable(v.number()),
  /**
   * The range around it in which the job ends about 95 times of 100 while its rate stays as in the last minute; null: no bound. Absent while
   * unknown.
   */
  estimatedRangeMs: v.optional(v.tuple([v.number(), v.nullable(v.number())])),
  /** The first failures, up to 20. */
  failures: v.array(taskFailureSchema),
  /** Times in ms since the Unix epoch. */
  createdAt: v.number(),
  endedAt: v.nullable(v.number()),
  /** Sequence number of the newest result. */
  lastSeq: v.number(),
  /** Bytes of stored inputs outside blobs. */
  inputBytes: v.number(),
  /** Bytes of stored outputs outside blobs, of failures and of attachments. */
  outputBytes: v.number(),
});
export type JobInfo = v.InferOutput<typeof jobSchema>;

const failureGroupSchema = v.object({
  kind: taskFailureSchema.entries.kind,
  /** The message without numbers, hashes and ids: what the failures of the group have in common. */
  pattern: v.string(),
  /** Message and stack of the first failure of the group. */
  message: v.string(),
  stack: v.optional(v.string()),
  count: v.number(),
  /** The first tasks. */
  indexes: v.array(taskIndexSchema),
  /** The clients of the last attempts, those with the most failures first. */
  clients: v.array(v.object({ client: v.string(), failures: v.number() })),
});
export type FailureGroup = v.InferOutput<typeof failureGroupSchema>;

/** The answer to `GET /api/jobs/{id}/failures`: failed tasks by what failed, the largest group first. */
export const failureGroupsSchema = v.object({
  /** Failed tasks of the job. */
  failed: v.number(),
  /** Failures that were looked at: those of a quarantined or blocked job that have no failure of their own are not among them. */
  examined: v.number(),
  /** Failures beyond the groups that are told. */
  ungrouped: v.number(),
  groups: v.array(failureGroupSchema),
});
export type FailureGroups = v.InferOutput<typeof failureGroupsSchema>;

const requeueGroupSchema = v.strictObject({
  kind: taskFailureSchema.entries.kind,
  pattern: v.pipe(v.string(), v.maxLength(limits.messageChars)),
});

/** The body of `POST /api/jobs/{id}/requeue-failed`; absent: all failed tasks. */
export const requeueSchema = v.strictObject({
  /** Only failures of this group of `GET /api/jobs/{id}/failures`. */
  group: v.optional(requeueGroupSchema),
  /** Only failures with these words in their message, in any case. */
  message: v.optional(text(limits.nameChars)),
});
export type Requeue = v.InferOutput<typeof requeueSchema>;

/** The body of `POST /api/requeue-failed`. */
export const requeueJobsSchema = v.strictObject({
  jobs: v.optional(v.pipe(v.array(jobIdSchema), v.maxLength(recordLimits.requeuedJobs))),
  /** Jobs of this group with failed tasks. */
  group: v.optional(groupSchema),
  message: requeueSchema.entries.message,
});
export type RequeueJobs = v.InferOutput<typeof requeueJobsSchema>;

export const requeuedJobsSchema = v.object({
  requeued: v.number(),
  jobs: v.array(
    v.object({
      id: jobIdSchema,
      requeued: v.number(),
      /** Why the job was left as it is. */
      refusal: v.optional(v.object({ code: v.string(), message: v.string() })),
    }),
  ),
});
export type RequeuedJobs = v.InferOutput<typeof requeuedJobsSchema>;

const taskTimeSchema = v.object({ index: taskIndexSchema, elapsedMs: v.number(), client: v.string() });

/** The answer to `GET /api/jobs/{id}/cost`: what clients spent on a job, failed and repeated runs included. */
export const jobCostSchema = v.object({
  /** Time of slots. */
  computedMs: v.number(),
  attempts: v.number(),
  slowest: v.array(taskTimeSchema),
});
export type JobCostInfo = v.InferOutput<typeof jobCostSchema>;

/** A value of a task: its encoded bytes, or the blob that holds them. */
const sizeSchema = v.object({
  bytes: v.number(),
  blob: v.optional(sha256Schema),
  /** Blobs that the value refers to, and their bytes. */
  references: v.number(),
  referencedBytes: v.number(),
});

/** The answer to `GET /api/jobs/{id}/tasks/{index}`. */
export const taskInfoSchema = v.object({
  index: taskIndexSchema,
  state: v.picklist(["queued", "running", "provisional", "done", "failed", "cancelled"]),
  input: v.nullable(sizeSchema),
  output: v.nullable(sizeSchema),
  /** Sequence number of the outcome. */
  seq: v.nullable(v.number()),
  failure: v.optional(taskFailureSchema),
  /** Runs that ended lately, as far as this server remembers them. */
  runs: v.array(
    v.object({
      attempt: v.number(),
      client: v.string(),
      name: v.string(),
      endedAt: v.number(),
      elapsedMs: v.number(),
      failure: v.optional(v.object({ kind: v.string(), message: v.string(), stack: v.optional(v.string()) })),
    }),
  ),
  /** Runs under way. */
  leases: v.array(
    v.object({
      attempt: v.number(),
      client: v.string(),
      name: v.string(),
      sinceMs: v.number(),
      progress: v.number(),
    }),
  ),
  log: v.array(v.object({ at: v.number(), client: v.string(), line: v.string() })),
});
export type TaskInfo = v.InferOutput<typeof taskInfoSchema>;

/** Kinds of attachments: media types, by the endings of their names. */
export const attachmentTypes = {
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain",
  csv: "text/csv",
} as const;
/** Name of an attachment: as a file's, without folders. */
export const attachmentNameSchema = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(100),
  // oxlint-disable-next-line eslint/no-control-regex -- Control characters are what is refused.
  v.regex(/^[^/\\\u0000-\u001f\u007f]+$/, "expected a file name without folders"),
  v.regex(/^(?!\.)/, "expected a name that does not begin with a dot"),
);
export const attachmentSchema = v.object({
  name: v.string(),
  type: v.string(),
  size: v.number(),
  at: v.number(),
});
export type Attachment = v.InferOutput<typeof attachmentSchema>;

/** An action of an administrator, an entry of `GET /api/audit`. */
export const auditEntrySchema = v.object({
  number: v.number(),
  /** ms since the Unix epoch. */
  at: v.number(),
  /** Name and id of the token. */
  actor: v.string(),
  token: v.string(),
  /** The route, as METHOD /path/{parameter}. */
  action: v.string(),
  /** What the action was on: the parameter of the route. */
  subject: v.string(),
  detail: v.string(),
  /** Code of the error with which it was refused; null when it was done. */
  refusal: v.nullable(v.string()),
});
export type AuditEntry = v.InferOutput<typeof auditEntrySchema>;

/** The query of `GET /api/audit`. */
export const auditQuerySchema = v.strictObject({
  limit: v.optional(
    v.pipe(v.string(), v.digits("expected a whole number"), v.toNumber(), integer(1, recordLimits.auditPage)),
  ),
  cursor: v.optional(v.pipe(v.string(), v.regex(/^\d{1,15}$/, "expected what Next-Cursor said"))),
});

/** The answer to `GET /api/public-status`: the project's progress, for anybody. */
export const publicStatusSchema = v.object({
  clients: v.number(),
  slots: v.number(),
  busy: v.number(),
  /** Results a second. */
  rate: v.number(),
  /** Tasks that ended well since the server started. */
  tasksDone: v.number(),
  tasksWaiting: v.number(),
  startedAt: v.number(),
  /** Up to 50 jobs that have not ended, those that run first. Names are told of jobs with `public: true` alone. */
  jobs: v.array(
    v.object({
      name: v.nullable(v.string()),
      customer: v.nullable(v.string()),
      fraction: v.number(),
      total: v.number(),
      done: v.number(),
      rate: v.number(),
      estimatedMs: v.nullable(v.number()),
    }),
  ),
  jobCount: v.number(),
});
export type PublicStatus = v.InferOutput<typeof publicStatusSchema>;

/** State and counts of a job: a line of `GET /api/jobs/{id}/progress`, and the part of a {@link JobInfo} that changes. */
export const jobProgressSchema = v.object({
  state: jobSchema.entries.state,
  paused: jobSchema.entries.paused,
  waitingFor: jobSchema.entries.waitingFor,
  quotaFull: jobSchema.entries.quotaFull,
  missingData: jobSchema.entries.missingData,
  counts: jobSchema.entries.counts,
  statement: jobSchema.entries.statement,
  fraction: jobSchema.entries.fraction,
  rate: jobSchema.entries.rate,
  estimatedMs: jobSchema.entries.estimatedMs,
  estimatedRangeMs: jobSchema.entries.estimatedRangeMs,
});
export type JobProgress = v.InferOutput<typeof jobProgressSchema>;

/**
 * An item of `GET /api/jobs/{id}/results`, in completion order. In JSON `output` is the value, whatever its size; in
 * MessagePack `output` is encoded bytes or `{sha256, size}`.
 */
export const resultLineSchema = v.variant("state", [
  v.object({
    state: v.literal("done"),
    seq: v.number(),
    index: taskIndexSchema,
    output: v.optional(v.unknown()),
  }),
  v.object({ state: v.literal("failed"), seq: v.number(), ...taskFailureSchema.entries }),
  /** Last item of a stream that reached the end of the job. */
  v.object({
    state: v.literal("end"),
    job: v.picklist(jobStates),
    counts: jobCountsSchema,
    statement: statementSchema,
  }),
]);
export type ResultLine = v.InferOutput<typeof resultLineSchema>;

/** An item of `GET /api/jobs/{id}/provisional`, lowest index first. */
export const provisionalLineSchema = v.object({
  state: v.literal("provisional"),
  index: taskIndexSchema,
  /** The stranger that computed the result. */
  client: v.string(),
  output: v.optional(v.unknown()),
  /** Reason why the output cannot be read. */
  message: v.optional(v.string()),
});
export type ProvisionalLine = v.InferOutput<typeof provisionalLineSchema>;

const provisionalNoticeEntries = { index: taskIndexSchema, client: v.string() };

/**
 * An item of `GET /api/jobs/{id}/provisional?follow=1`. The reply begins with `snapshot`, the present results and `current`;
 * then come new results and notices, each batch with another `current`. A reader that is far behind gets `snapshot` again
 * instead of the missed items: an earlier result that is not among the results before `current` is no longer provisional.
 */
export const followedProvisionalSchema = v.variant("state", [
  provisionalLineSchema,
  /** The result is the outcome of its task. */
  v.object({ state: v.literal("accepted"), ...provisionalNoticeEntries }),
  /** The result is not taken: another one is the outcome of its task, or will be. */
  v.object({ state: v.literal("withdrawn"), ...provisionalNoticeEntries }),
  /** The present results follow; none of them is an outcome with a sequence number up to `seq`. */
  v.object({ state: v.literal("snapshot"), seq: v.number() }),
  /** The reply has told every change up to the outcome with the sequence number `seq`. */
  v.object({ state: v.literal("current"), seq: v.number() }),
  /** The job has ended, and with it the reply. */
  v.object({ state: v.literal("end"), job: v.picklist(jobStates) }),
]);
export type FollowedProvisional = v.InferOutput<typeof followedProvisionalSchema>;

/** Usage and quota of a customer: an item of `GET /api/usage`. */
export const usageSchema = v.object({
  customer: v.string(),
  /** `outputs` includes failures; `blobs` includes each blob that an input or output refers to or is in, once. */
  bytes: v.object({
    inputs: v.number(),
    outputs: v.number(),
    blobs: v.number(),
    kernels: v.number(),
    total: v.number(),
  }),
  jobs: v.number(),
  kernels: v.number(),
  /** Tasks without an outcome of jobs that have not ended. */
  openTasks: v.number(),
  quota: v.object({ bytes: v.number(), jobs: v.number(), kernels: v.number(), openTasks: v.number() }),
  /** The quota of bytes is full: no task of this customer is handed out. */
  full: v.boolean(),
});
export type UsageInfo = v.InferOutput<typeof usageSchema>;

/** The body of `POST /api/precache`. */
export const precacheSchema = v.strictObject({
  /** Whole blobs, or ranges of them. */
  refs: v.pipe(v.array(dataReferenceSchema), v.minLength(1), v.maxLength(limits.precacheRefs)),
  /** Requirements on the clients; absent: all clients. */
  requires: v.optional(requirementsSchema, {}),
  /** The request waits until this many clients have the data, or as much of it as they will hold; 0 needs no client. */
  atLeast: v.optional(integer(0, 1_000_000), 1),
  /** Goes on after all clients have the data, for clients that join later, until the request is ended. */
  stay: v.optional(v.boolean(), false),
});
export type PrecacheInput = v.InferInput<typeof precacheSchema>;

/** Progress of a precache: a line of the answer to `POST /api/precache`. */
export const precacheProgressSchema = v.object({
  /** No client has a transfer under way, and there were enough clients. */
  done: v.boolean(),
  /** Bytes for each client: overlapping parts count once, ranges of large blobs in whole chunks. */
  bytes: v.number(),
  /** Connected clients that the precache asks. */
  clients: v.number(),
  /** Clients that have all of the data. */
  have: v.number(),
  /** Clients that will not hold all of the data, because their cache is too small or a fetch failed. `problems` says why. */
  short: v.number(),
  /** Clients that their owner paused; the precache does not wait for them. */
  paused: v.number(),
  /** Bytes in the caches of all clients together, of `bytes` × `clients`. */
  haveBytes: v.number(),
  /** The first clients that are short, up to 20. */
  problems: v.array(
    v.object({ client: v.string(), name: v.string(), missedBytes: v.number(), message: v.string() }),
  ),
});
export type PrecacheProgress = v.InferOutput<typeof precacheProgressSchema>;

/** The answer to `POST /api/groups/{group}/cancel`. */
export const cancelledGroupSchema = v.object({
  group: v.string(),
  /** Jobs that were not ended, newest first; jobs that had ended stay as they are. */
  cancelled: v.array(jobSchema),
});
export type CancelledGroup = v.InferOutput<typeof cancelledGroupSchema>;

export const clientInfoSchema = v.object({
  id: v.string(),
  name: v.string(),
  kind: v.picklist(["browser", "node"]),
  trusted: v.boolean(),
  address: v.string(),
  connected: v.boolean(),
  slots: v.number(),
  memoryMb: v.number(),
  webgpu: v.boolean(),
  /** Leases that the client holds now. */
  leases: v.number(),
  /** The oldest leases: most likely the running tasks. */
  current: v.array(v.object({ job: jobIdSchema, index: taskIndexSchema, progress: v.number() })),
  done: v.number(),
  failed: v.number(),
  /** Share of data references that were in the client's cache when their task was leased, 0 … 1; null before the first. */
  cacheHitRatio: v.nullable(v.number()),
  connectedAt: v.number(),
  lastSeenAt: v.number(),
  /** Attempts that ended without a result: the client vanished, or did not deliver in time. */
  lost: v.optional(v.number(), 0),
  /** Results that verify those of others. */
  checked: v.optional(v.number(), 0),
  /** Run time of a task on one slot in ms, smoothed over its last ones; null before the first. */
  taskMs: v.optional(v.nullable(v.number()), null),
  /** Blobs that the client told to have in its cache. */
  cachedBlobs: v.optional(v.number(), 0),
  version: v.optional(v.string(), ""),
  /** The administrator lets the client finish what it holds, and gives it no more. */
  drained: v.optional(v.boolean(), false),
});

export const clientStates = ["connected", "gone", "busy", "idle", "drained", "failing"] as const;
export const clientSorts = [
  "joined",
  "name",
  "kind",
  "slots",
  "leases",
  "taskMs",
  "done",
  "failed",
  "lost",
  "checked",
  "cache",
  "lastSeen",
  "version",
] as const;

/** The query of `GET /api/clients`. `failing`: at least one task in ten failed or was lost. */
export const clientQuerySchema = v.strictObject({
  /** Words, each of which must occur in name, address, version or id. */
  search: v.optional(v.pipe(v.string(), v.maxLength(limits.nameChars))),
  state: v.optional(v.picklist(clientStates)),
  kind: v.optional(v.picklist(["browser", "node"])),
  sort: v.optional(v.picklist(clientSorts)),
  /** `desc` is the default for numbers and times, `asc` for texts. */
  order: v.optional(v.picklist(["asc", "desc"])),
  limit: v.optional(
    v.pipe(v.string(), v.digits("expected a whole number"), v.toNumber(), integer(1, limits.jobsPerPage)),
  ),
  cursor: v.optional(v.pipe(v.string(), v.regex(/^\d{1,9}$/, "expected what Next-Cursor said"))),
});
export type ClientQuery = v.InferOutput<typeof clientQuerySchema>;

/** Header of `GET /api/clients` with the number of clients that match. */
export const clientCountHeader = "Client-Count";

export const clientVerbs = ["drain", "resume", "disconnect", "ban"] as const;
/** The body of `POST /api/clients`: one verb for several clients. */
export const clientActionSchema = v.strictObject({
  verb: v.picklist(clientVerbs),
  clients: v.pipe(v.array(text(limits.nameChars)), v.minLength(1), v.maxLength(10_000)),
  /** What banned clients are told. */
  reason: v.optional(v.pipe(v.string(), v.maxLength(limits.messageChars)), "by the administrator"),
});
/** The answer to it: how many clients were reached, and those that are not known any more. */
export const clientsActedSchema = v.object({ done: v.number(), unknown: v.array(v.string()) });
export type ClientInfo = v.InferOutput<typeof clientInfoSchema>;

export const banInfoSchema = v.object({
  /** Client id or address. */
  subject: v.string(),
  reason: v.string(),
  at: v.number(),
});
export type BanInfo = v.InferOutput<typeof banInfoSchema>;

/** A server among several. Its figures are a second or two old; those of a dead server are its last. */
const serverSchema = v.object({
  name: v.string(),
  url: v.nullable(v.string()),
  since: v.number(),
  live: v.boolean(),
  /** Time since the server last told that it lives. */
  silentMs: v.number(),
  version: v.nullable(v.string()),
  clients: v.number(),
  slots: v.number(),
  /** Leased tasks. */
  tasks: v.number(),
  /** Tasks that the server has taken for its clients, the leased ones included. */
  claimed: v.number(),
  rate: v.number(),
  /** Delay of the server's event loop. */
  lagMs: v.number(),
});

export type ServerInfo = v.InferOutput<typeof serverSchema>;

export const statusSchema = v.object({
  version: v.string(),
  startedAt: v.number(),
  volunteers: v.picklist(["open", "invite", "off"]),
  volunteerUrls: v.array(v.string()),
  jobs: v.number(),
  clients: v.object({ browser: v.number(), node: v.number(), slots: v.number(), busy: v.number() }),
  tasks: v.object({
    queued: v.number(),
    running: v.number(),
    /** Computed by strangers, and not accepted yet. */
    provisional: v.number(),
    done: v.number(),
    failed: v.number(),
    droppedResults: v.number(),
  }),
  /** Results a second, over the last ten seconds. */
  rate: v.number(),
  blobs: v.object({ count: v.number(), bytes: v.number(), quotaBytes: v.number() }),
  /** The servers that share the store, those of the last minute that are gone included; absent with one server alone. */
  servers: v.optional(v.array(serverSchema)),
  /** Stored data that is not as it was written. */
  damaged: v.optional(
    v.object({
      /** Packs of inputs or outputs, checkpoints and kernels in the database that were found damaged since the start. */
      records: v.number(),
      /** Blobs whose files were set aside, until they are put again or removed. */
      blobs: v.number(),
    }),
    { records: 0, blobs: 0 },
  ),
});
export type ServerStatus = v.InferOutput<typeof statusSchema>;

/** Progress of a verification of all records and blobs: a line of the answer to `POST /api/scrub`. */
export const scrubProgressSchema = v.object({
  done: v.boolean(),
  /** Records of the database that were read: packs of inputs or outputs, checkpoints, kernels. */
  records: v.number(),
  /** Blobs that were read, and their bytes. */
  blobs: v.number(),
  bytes: v.number(),
  /** Records that were found damaged and were not known to be. */
  damagedRecords: v.number(),
  /** Blobs that are set aside, up to 100. */
  damagedBlobs: v.array(sha256Schema),
});
export type ScrubProgress = v.InferOutput<typeof scrubProgressSchema>;

/** The body of `POST /api/backup`. */
export const backupSchema = v.strictObject({
  /** Absolute path on the server's machine: a new or empty directory, or an earlier backup. */
  directory: text(4096),
});

/** Progress of a backup: a line of the answer to `POST /api/backup`. */
export const backupProgressSchema = v.object({
  done: v.boolean(),
  /** Share of the database that is copied, 0 … 1. */
  database: v.number(),
  /** Blobs of the backup so far; those that an earlier backup had are not copied again. */
  blobs: v.number(),
  copiedBlobs: v.number(),
  copiedBytes: v.number(),
  /** Blobs that are damaged or missing on the server, and so in the backup. */
  missing: v.array(sha256Schema),
  /** Failure of the backup, in the last line. The earlier backup is whole. */
  failure: v.optional(
    v.object({ code: v.string(), message: v.string(), remedy: v.string(), retryable: v.boolean() }),
  ),
});
export type BackupProgress = v.InferOutput<typeof backupProgressSchema>;

const kindCapacitySchema = v.object({
  /** Connected now. */
  clients: v.number(),
  slots: v.number(),
  /** Slots that have a task. */
  busy: v.number(),
  /** Run time of a task on one slot in ms, over the tasks done most recently (half-life a minute); null before the first. */
  meanTaskMs: v.nullable(v.number()),
});

/** The answer to `GET /api/capacity`: the computer that the clients make together. */
export const capacitySchema = v.object({
  clients: v.number(),
  slots: v.number(),
  busy: v.number(),
  /** Measured tasks a second, over the last ten seconds. */
  rate: v.number(),
  /**
   * Expected tasks a second if every slot computed tasks like the recent ones, each kind of client at its own measured speed,
   * without dispatch and transfers. Null before the first task is done.
   */
  tasksPerSecond: v.nullable(v.number()),
  kinds: v.object({ browser: kindCapacitySchema, node: kindCapacitySchema }),
});
export type Capacity = v.InferOutput<typeof capacitySchema>;

/** The whole picture for the admin page, pushed about once a second (server-sent events, `GET /api/events`). */
export const snapshotSchema = v.object({
  status: statusSchema,
  /** Up to 100 jobs: running, failing and recently failed first, then waiting, then ended. */
  jobs: v.array(jobSchema),
  /** Number of all jobs. */
  jobCount: v.number(),
  /** Up to 100 clients, the connected and busy ones first. */
  clients: v.array(clientInfoSchema),
  /** Number of all clients. */
  clientCount: v.optional(v.number()),
  /** Usage of up to 100 customers, the largest first. */
  usage: v.array(usageSchema),
  /** Results a second, a number for each of the last 300 seconds, oldest first. */
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
  /** Most clients that are connected with the token at once, at each server; for clients and volunteers. */
  maxClients: v.optional(integer(1, 100_000)),
});
export const tokenInfoSchema = v.object({
  id: v.string(),
  role: v.picklist(roles),
  name: v.string(),
  createdAt: v.number(),
  expiresAt: v.nullable(v.number()),
  lastUsedAt: v.nullable(v.number()),
  /** Absent: any number. */
  maxClients: v.optional(v.number()),
});
export type TokenInfo = v.InferOutput<typeof tokenInfoSchema>;
/** A new token; its secret is shown only here. */
export const createdTokenSchema = v.object({
  ...tokenInfoSchema.entries,
  token: v.string(),
  inviteUrl: v.optional(v.string()),
});
export type CreatedToken = v.InferOutput<typeof createdTokenSchema>;

export const kernelInfoSchema = v.object({ sha256: sha256Schema, size: v.number() });
export const prioritySchema = v.strictObject({ priority: integer(limits.minPriority, limits.maxPriority) });
