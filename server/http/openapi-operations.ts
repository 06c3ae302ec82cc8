import { limits, recordLimits } from "../../shared/limits.ts";
import { ownBlobHeader } from "../../shared/wire/rest/blobs.ts";
import { clientCountHeader, clientSorts, clientStates } from "../../shared/wire/rest/clients.ts";
import { jobListStates, jobSorts } from "../../shared/wire/rest/job-list.ts";
import { nextCursorHeader } from "../../shared/wire/rest/pages.ts";
import { customerPriority, type RouteName } from "../access/rules.ts";
import type { SchemaName } from "./openapi-schemas.ts";

/** Bodies by content type. For NDJSON and MessagePack streams `of` is an item. */
export type Content = Record<string, "bytes" | "text" | { readonly of: SchemaName; readonly many?: boolean }>;

/** A route's entry in the OpenAPI document beside its rule and its path parameters. */
export interface Operation {
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly query?: readonly object[];
  readonly headers?: readonly object[];
  readonly body?: Content;
  readonly bodyRequired?: boolean;
  readonly replies: Record<number, { readonly description: string; readonly content?: Content }>;
}

const either = (of: SchemaName, many = false): Content => ({
  "application/json": { of, many },
  "application/x-msgpack": { of, many },
});
const ok = (of: SchemaName, many = false) => ({ 200: { description: "OK", content: either(of, many) } });
const made = (of: SchemaName) => ({
  200: { description: "It was there already.", content: either(of) },
  201: { description: "Made.", content: either(of) },
});
const done = { 204: { description: "Done." } };
const jobVerb = (id: string, summary: string): Operation => ({ id, summary, replies: ok("Job") });
const bytes: Content = { "application/octet-stream": "bytes" };

const blobReplies = {
  200: { description: "The whole blob. ETag is its SHA-256; it never changes.", content: bytes },
  206: { description: "The range asked for.", content: bytes },
  304: { description: "If-None-Match names it: nothing is sent." },
};
const directQuery = [
  {
    name: "direct",
    in: "query",
    schema: { type: "string", enum: ["0", "1"], default: "0" },
    description: "1: the server may say where the bytes are (307) instead of sending them.",
  },
];
const blobHeaders = [
  { name: "Range", in: "header", schema: { type: "string" }, description: "One range, `bytes=FIRST-LAST`." },
  { name: "If-None-Match", in: "header", schema: { type: "string" } },
];

const uploadHeader = (name: string, description: string, pattern = "^[0-9]+$") => ({
  name,
  in: "header",
  schema: { type: "string", pattern },
  description,
});
const uploadHeaders = [
  uploadHeader(
    "Upload-Complete",
    "?1: the upload ends with this request, ?0: a PATCH follows. What comes of either is kept when the connection breaks.",
    "^[?][01]$",
  ),
  uploadHeader("Upload-Length", "Bytes of the whole upload."),
];

/** Of several servers, each has clients and log lines of its own. */
const serversQuery = [
  {
    name: "of",
    in: "query",
    schema: { type: "string", enum: ["all", "own"], default: "all" },
    description:
      "Of several servers: all, or the one that answers. The header `Manyhands-Unanswered` names servers that did not answer within 2 s.",
  },
];

const resultQuery = [
  {
    name: "after",
    in: "query",
    schema: { type: "integer", minimum: 0, default: 0 },
    description: "Only results with a greater sequence number: how a reader goes on after a cut.",
  },
  {
    name: "follow",
    in: "query",
    schema: { type: "string", enum: ["0", "1"], default: "0" },
    description: "1: wait for what comes and end with the `end` item when the job has ended.",
  },
];

const formatQuery = [
  {
    name: "format",
    in: "query",
    schema: { type: "string", enum: ["ndjson", "msgpack"] },
    description: "The form of a download, for links that cannot say Accept: the reply is then a file.",
  },
];

const closeQuery = [
  {
    name: "close",
    in: "query",
    schema: { type: "string", enum: ["0", "1"], default: "0" },
    description: "1: these are the last; the job is closed once they are stored, as `POST …/close` does.",
  },
];

const jobQuery = [
  {
    name: "group",
    in: "query",
    schema: { type: "string", minLength: 1 },
    description: "Only jobs of this group.",
  },
  {
    name: "search",
    in: "query",
    schema: { type: "string", maxLength: limits.nameChars },
    description:
      "Only jobs in whose name, customer or group each of these words stands, in any case, or whose id begins with it.",
  },
  {
    name: "state",
    in: "query",
    schema: { type: "string", enum: [...jobListStates] },
    description:
      "Only jobs in this state; `active`: not ended; `running`: clients have tasks of it; `failing`: a task failed, or it ended for a failure.",
  },
  {
    name: "sort",
    in: "query",
    schema: { type: "string", enum: [...jobSorts], default: "newest" },
    description:
      "The order: `priority`, `failed` and `ended` begin with the highest priority, the most failures and the last end, `name` and `customer` with a.",
  },
  {
    name: "limit",
    in: "query",
    schema: { type: "integer", minimum: 1, maximum: limits.jobsPerPage },
    description: `At most so many; the header ${nextCursorHeader} names the next page. Without: all there are.`,
  },
  {
    name: "cursor",
    in: "query",
    schema: { type: "string" },
    description: `What ${nextCursorHeader} of the page before said.`,
  },
];

/** The entry of every route. */
export const operations: Record<RouteName, Operation> = {
  "POST /api/jobs": {
    id: "createJob",
    summary: "Make a job, with or without its inputs",
    description:
      "A job with `after` waits until those jobs have finished; tasks may be added meanwhile. When one of them ends otherwise, or with a failed task, the state becomes `blocked` and `failures` says why. A job with `inputsFrom` takes the outputs of that job as its inputs, each as it is accepted, and no others; it closes by itself. With `outputsPerTask: n` (2 to 1024) an input of it is the array of the outputs of n neighbouring tasks, by index, the last of fewer, made once all of them are accepted; while a task of the other job has failed, such a job is `blocked`. With a `key` it may be sent again after a lost reply: the same key is the same job, the same input the same task; with another kernel, other inputs or other options (`name` and `priority` aside) it is refused (CONFLICT). When the first tasks all fail alike and none is done the job ends early, as `quarantined`, and `failures` says why; `failFast: false` has every task tried. `verify` says how results of volunteers are verified, `compare` when two results agree, and `check: true` that the kernel module's `check` looks at each of them. A job made with inputs is closed at once unless `open` is true.",
    body: either("CreateJob"),
    replies: made("Job"),
  },
  "GET /api/jobs": {
    id: "listJobs",
    summary: "Jobs, newest first unless they are sorted otherwise",
    query: jobQuery,
    replies: ok("Job", true),
  },
  "GET /api/jobs/{id}": { id: "getJob", summary: "One job: counts, rate, failures", replies: ok("Job") },
  "DELETE /api/jobs/{id}": {
    id: "deleteJob",
    summary: "Cancel a job if it runs, and forget it with its results",
    replies: done,
  },
  "POST /api/jobs/{id}/tasks": {
    id: "submitTasks",
    summary: "Add tasks",
    description:
      "A stream of any length as NDJSON or MessagePack, or one JSON array. Idempotent by index; lines without an index are numbered on. At a broken item the reply names its position, and what came before it stays. Or one pack, `application/x-manyhands-tasks`: tasks with consecutive indexes as columns in one MessagePack map, taken whole or not at all; many small tasks cost a fraction. For packs that come one by one the same address takes a WebSocket (subprotocol `manyhands-tasks`): a pack a message, each answered by Submitted.",
    query: closeQuery,
    body: {
      "application/x-ndjson": { of: "TaskLine" },
      "application/x-msgpack": { of: "TaskItem" },
      "application/json": { of: "TaskLine", many: true },
      "application/x-manyhands-tasks": { of: "TaskPack" },
    },
    replies: ok("Submitted"),
  },
  "POST /api/jobs/{id}/close": jobVerb("closeJob", "No more tasks: the job ends with the last of them"),
  "POST /api/jobs/{id}/pause": jobVerb("pauseJob", "Hand out no more tasks for now"),
  "POST /api/jobs/{id}/resume": jobVerb("resumeJob", "Hand out tasks again"),
  "POST /api/jobs/{id}/cancel": jobVerb("cancelJob", "End the job; what has not ended is cancelled"),
  "POST /api/jobs/{id}/requeue-failed": {
    id: "requeueFailed",
    summary: "Try the failed tasks again",
    description:
      "All of them, or those of a `group` of `GET /api/jobs/{id}/failures`, or with words in their `message`.",
    body: either("Requeue"),
    bodyRequired: false,
    replies: ok("Requeued"),
  },
  "POST /api/requeue-failed": {
    id: "requeueFailedJobs",
    summary: "Try the failed tasks of several jobs again",
    description:
      "Of `jobs`, or of those of a `group` that have failed tasks; with `message` only failures whose message has these words. A job that cannot be requeued is left, and `refusal` says why. NOT_FOUND when the caller may not see one of `jobs`; nothing is requeued then.",
    body: either("RequeueJobs"),
    replies: ok("RequeuedJobs"),
  },
  "GET /api/jobs/{id}/failures": {
    id: "readFailures",
    summary: "Failed tasks by what failed, the largest group first",
    description:
      "Failures of one kind whose messages differ in numbers, hashes and ids alone are a group. All failures: `GET /api/jobs/{id}/results`.",
    replies: ok("FailureGroups"),
  },
  "GET /api/jobs/{id}/cost": {
    id: "readCost",
    summary: "What clients spent on a job, and its slowest tasks",
    description: "Failed and repeated runs included; a few seconds old.",
    replies: ok("JobCost"),
  },
  "GET /api/jobs/{id}/tasks/{index}": {
    id: "getTask",
    summary: "One task: state, sizes, runs, log",
    replies: ok("Task"),
  },
  "GET /api/jobs/{id}/attachments": {
    id: "listAttachments",
    summary: "What the customer attached to the job",
    replies: ok("Attachment", true),
  },
  "PUT /api/jobs/{id}/attachments/{name}": {
    id: "attach",
    summary: "Attach a picture, text or table to a job",
    description: `In place of one of the same name. PNG, SVG, text or CSV of at most ${recordLimits.attachmentBytes} bytes, at most ${recordLimits.attachmentsPerJob} of a job, also after its end. They count to the customer's quota, and are deleted with the job.`,
    body: {
      "image/png": "bytes",
      "image/svg+xml": "text",
      "text/plain": "text",
      "text/csv": "text",
    },
    replies: ok("Attachment"),
  },
  "GET /api/jobs/{id}/attachments/{name}": {
    id: "getAttachment",
    summary: "The bytes of an attachment",
    description: "With a Content-Security-Policy under which nothing in it runs or loads.",
    replies: {
      200: {
        description: "As it was attached.",
        content: {
          "image/png": "bytes",
          "image/svg+xml": "text",
          "text/plain": "text",
          "text/csv": "text",
        },
      },
    },
  },
  "DELETE /api/jobs/{id}/attachments/{name}": {
    id: "detach",
    summary: "Take an attachment away",
    replies: done,
  },
  "GET /api/audit": {
    id: "listActions",
    summary: "What administrators did, newest first",
    description: `The newest ${recordLimits.auditEntries} are kept.`,
    query: [
      {
        name: "limit",
        in: "query",
        schema: { type: "integer", minimum: 1, maximum: recordLimits.auditPage },
        description: `At most so many; the header ${nextCursorHeader} names the next page.`,
      },
      {
        name: "cursor",
        in: "query",
        schema: { type: "string" },
        description: `What ${nextCursorHeader} of the page before said.`,
      },
    ],
    replies: ok("AuditEntry", true),
  },
  "GET /api/public-status": {
    id: "getPublicStatus",
    summary: "The progress of the project, for anybody",
    description:
      "Where the server has --public-status (NOT_FOUND else). Names of jobs with `public: true` alone.",
    replies: ok("PublicStatus"),
  },
  "GET /status": {
    id: "getPublicPage",
    summary: "The same as a page",
    replies: { 200: { description: "HTML.", content: { "text/html": "text" } } },
  },
  "POST /api/jobs/{id}/priority": {
    id: "setPriority",
    summary: "Change the priority",
    description: `Customers have priorities up to ${customerPriority}; above are those of administrators.`,
    body: either("Priority"),
    replies: ok("Job"),
  },
  "PUT /api/jobs/{id}/verify": {
    id: "setVerify",
    summary: "Change how results of volunteers are verified",
    description:
      "What is absent stays as it is. Provisional results are judged by the new rules, and volunteers get tasks again of a job that was not reproducible.",
    body: either("SetVerify"),
    replies: ok("Job"),
  },
  "GET /api/jobs/{id}/provisional": {
    id: "readProvisional",
    summary: "Results of volunteers that are not accepted yet, lowest index first",
    description:
      "NDJSON. Any of them may be wrong, and may be withdrawn. A task may have several; an output that cannot be read has a `message` instead. With `follow` the reply begins with `snapshot`, the present results and `current`; then come later results, `accepted` and `withdrawn` for each, and `current` with each batch, until `end`, when the job has ended. The same result (index and client) may come again before its notice, and a notice for a result that did not come: skip both. After a cut, or after another `snapshot` for a reader that was behind, a result that came before and is not there at `current` is over, and so is one without a notice at `end`: it was accepted if the results after the `seq` of the `current` before have its output for its task, else withdrawn. A blank line every 3.5 s is a sign of life; skip it.",
    query: [
      {
        name: "after",
        in: "query",
        schema: { type: "integer", minimum: 0 },
        description: "Only results of tasks with a greater index.",
      },
      {
        name: "follow",
        in: "query",
        schema: { type: "string", enum: ["0", "1"], default: "0" },
        description: "1: go on with what comes and what becomes of it, until the job has ended.",
      },
    ],
    replies: {
      200: {
        description: "The present ones (`provisional` only), or with `follow` all lines.",
        content: { "application/x-ndjson": { of: "FollowedProvisional" } },
      },
    },
  },
  "GET /api/jobs/{id}/results": {
    id: "readResults",
    summary: "Accepted results in order of completion",
    description:
      "As NDJSON, as a MessagePack stream, or (not while following) as one JSON array, by Accept. In JSON an output is the JSON form of its value, whatever its size; one that cannot be read is a failed result. While nothing happens a blank line (MessagePack: nil) is sent every 3.5 s; skip it. As packs, `application/x-manyhands-results`: frames of a length (four bytes, highest first) and that many bytes of MessagePack, `ResultFrame`; an empty frame is the sign of life. A reply that breaks off is not whole: go on with `after`.",
    query: [...resultQuery, ...formatQuery],
    replies: {
      200: {
        description: "Results so far, or all of them.",
        content: {
          "application/x-ndjson": { of: "ResultLine" },
          "application/x-msgpack": { of: "ResultLine" },
          "application/json": { of: "ResultLine", many: true },
          "application/x-manyhands-results": { of: "ResultFrame" },
        },
      },
    },
  },
  "GET /api/jobs/{id}/progress": {
    id: "watchJob",
    summary: "How a job stands, pushed as it changes",
    description:
      "NDJSON: a line now and one with each change, at most four a second, until the job has ended or is deleted. Each is the whole picture: a reader that is behind misses lines and gets the newest. A blank line every 3.5 s is a sign of life; skip it.",
    replies: {
      200: { description: "The lines.", content: { "application/x-ndjson": { of: "JobProgress" } } },
    },
  },
  "GET /api/jobs/{id}/why": {
    id: "whyJob",
    summary: "Why no task of a job is computed, or only slow ones",
    query: serversQuery,
    replies: ok("Why"),
  },
  "POST /api/groups/{group}/cancel": {
    id: "cancelGroup",
    summary: "Cancel every job of a group that has not ended",
    description: "A customer's own jobs; an admin's: everybody's. A group without such jobs is no error.",
    replies: ok("CancelledGroup"),
  },
  "GET /api/jobs/{id}/logs": {
    id: "readLogs",
    summary: "Newest log lines of the job's kernels",
    query: serversQuery,
    replies: ok("LogLine", true),
  },
  "PUT /api/blobs/{sha256}": {
    id: "putBlob",
    summary: "Store bytes under their SHA-256",
    description:
      "Whoever sends all bytes has the blob; 200 when the caller has it already. A connected client uploads what its tasks produce.",
    headers: uploadHeaders,
    body: { "*/*": "bytes" },
    replies: { ...made("BlobName"), 204: { description: "Taken, and more follows by PATCH to Location." } },
  },
  "GET /api/blobs/{sha256}": {
    id: "getBlob",
    summary: "The bytes of a blob or kernel",
    query: directQuery,
    headers: blobHeaders,
    replies: {
      ...blobReplies,
      307: {
        description:
          "Location is an address under which anybody gets the blob, or a range of it, for ten minutes. Send no token there.",
      },
    },
  },
  "HEAD /api/blobs/{sha256}": {
    id: "headBlob",
    summary: "Whether the caller may read a blob, and its size",
    description: `${ownBlobHeader} in the reply: the caller has it and need not put it. An admin may read those of others too.`,
    headers: blobHeaders,
    replies: {
      200: { description: "It is here." },
      206: { description: "The range is." },
      304: blobReplies[304],
    },
  },
  "DELETE /api/blobs/{sha256}": {
    id: "deleteBlob",
    summary: "Give up a blob that no job of the caller refers to",
    description: "The bytes go when no other customer has them. An admin's: from every customer.",
    replies: done,
  },
  "GET /api/blobs/{sha256}/chunks": {
    id: "readBlobChunks",
    summary: "SHA-256 of each chunk of a blob, for whoever reads ranges of it",
    description:
      "Digests of 32 bytes, one after another, of the chunks of X-Chunk-Bytes bytes that start at 0 (the last may be shorter). Computed together with the hash of the whole blob: they are those of the bytes that the blob's name stands for. A reader who trusts this server can check any range that consists of chunks.",
    query: [
      {
        name: "bytes",
        in: "query",
        schema: { type: "string", enum: [String(limits.chunkBytes), String(limits.formerChunkBytes)] },
        description: `Size of the chunks; ${limits.formerChunkBytes} when absent, of which the digests are computed each time.`,
      },
    ],
    replies: { 200: { description: "The digests.", content: bytes } },
  },
  "HEAD /api/blobs/{sha256}/upload": {
    id: "headUpload",
    summary: "How much of the caller's upload is here",
    description:
      "Upload-Offset is the next byte to send; with Upload-Complete: ?1 the caller has the blob. 0: begin with a PUT. A connection that still brings bytes of this upload is cut.",
    replies: { 204: { description: "The headers tell it." } },
  },
  "PATCH /api/blobs/{sha256}/upload": {
    id: "resumeUpload",
    summary: "Go on with an upload",
    description:
      "After a PUT with Upload-Complete that broke off or was not the last. As in draft-ietf-httpbis-resumable-upload; CONFLICT with Upload-Offset when another byte is next.",
    headers: [...uploadHeaders, uploadHeader("Upload-Offset", "Bytes that the server has.")],
    body: { "application/partial-upload": "bytes" },
    replies: { ...made("BlobName"), 204: { description: "Taken; Upload-Offset is the next byte." } },
  },
  "POST /api/precache": {
    id: "precache",
    summary: "Have data in clients' caches before tasks need it",
    description:
      "The precache stands as long as this request: connected clients (of several servers: those of all) fetch the data in the background, and so do those that join; the reply is NDJSON, a line now and one with each change (at most four a second), the last one with `done`. With `stay` it goes on after that. End the request to end the precache; what clients have stays in their caches as any data does. The blobs are kept meanwhile. A client whose cache is too small is counted in `short`. A blob that is not here: NOT_FOUND.",
    query: serversQuery,
    body: either("Precache"),
    replies: {
      200: { description: "How it goes.", content: { "application/x-ndjson": { of: "PrecacheProgress" } } },
    },
  },
  "POST /api/kernels": {
    id: "postKernel",
    summary: "Store a kernel: an ES module whose default export is the function",
    body: { "text/javascript": "text", "application/javascript": "text", ...either("PostKernel") },
    replies: made("BlobName"),
  },
  "POST /api/kernels/python": {
    id: "postPythonKernel",
    summary: "Make and store the kernel of a function in Python",
    description:
      "Needs Pyodide (`npm install pyodide`) on the server. Each task of a job with the kernel names the blobs in `refs` beside those of its input; they are the caller's from then on.",
    body: either("PythonProgram"),
    replies: made("PythonKernel"),
  },
  "GET /api/kernels": {
    id: "listKernels",
    summary: "The caller's kernels; an admin's: all",
    replies: ok("BlobName", true),
  },
  "GET /api/kernels/{sha256}": {
    id: "getKernel",
    summary: "Source of a kernel",
    replies: { 200: { description: "The module.", content: { "text/javascript": "text" } } },
  },
  "DELETE /api/kernels/{sha256}": {
    id: "deleteKernel",
    summary: "Give up a kernel that no job of the caller uses",
    description: "It goes when no other customer has it. An admin's: from every customer.",
    replies: done,
  },
  "GET /api/usage": {
    id: "getUsage",
    summary: "What the caller keeps, and may keep; for an admin every customer",
    replies: ok("Usage", true),
  },
  "GET /api/clients": {
    id: "listClients",
    summary: "Clients that are connected, then those that were, newest first",
    description: "`address` is empty for customers.",
    query: [
      ...serversQuery,
      {
        name: "search",
        in: "query",
        schema: { type: "string" },
        description: "Words in name, address, version or id.",
      },
      { name: "state", in: "query", schema: { type: "string", enum: [...clientStates] } },
      { name: "kind", in: "query", schema: { type: "string", enum: ["browser", "node"] } },
      { name: "sort", in: "query", schema: { type: "string", enum: [...clientSorts] } },
      { name: "order", in: "query", schema: { type: "string", enum: ["asc", "desc"] } },
      {
        name: "limit",
        in: "query",
        schema: { type: "integer", minimum: 1, maximum: limits.jobsPerPage },
        description: `At most so many; ${nextCursorHeader} names the next page, ${clientCountHeader} says how many match.`,
      },
      { name: "cursor", in: "query", schema: { type: "string" } },
    ],
    replies: ok("Client", true),
  },
  "POST /api/clients": {
    id: "actOnClients",
    summary: "Drain several clients, take that back, disconnect or ban them",
    body: either("ClientAction"),
    replies: ok("ClientsActed"),
  },
  "POST /api/clients/{id}/disconnect": {
    id: "disconnectClient",
    summary: "Close a client's connection; it may come back",
    replies: done,
  },
  "POST /api/clients/{id}/ban": {
    id: "banClient",
    summary: "Disconnect a client and refuse it from now on",
    body: either("Ban"),
    bodyRequired: false,
    replies: done,
  },
  "GET /api/clients/{id}/why": {
    id: "whyClient",
    summary: "Why a client has no task",
    query: serversQuery,
    replies: ok("Why"),
  },
  "GET /api/bans": { id: "listBans", summary: "Bans, oldest first", replies: ok("BanInfo", true) },
  "DELETE /api/bans/{subject}": { id: "liftBan", summary: "Lift a ban", replies: done },
  "GET /api/tokens": {
    id: "listTokens",
    summary: "Tokens, without their secrets",
    replies: ok("Token", true),
  },
  "POST /api/tokens": {
    id: "createToken",
    summary: "Make a token; its secret is in this reply and nowhere else",
    body: either("CreateToken"),
    replies: { 201: { description: "Made.", content: either("CreatedToken") } },
  },
  "DELETE /api/tokens/{id}": { id: "revokeToken", summary: "Revoke a token", replies: done },
  "GET /api/status": { id: "getStatus", summary: "The server at a glance", replies: ok("Status") },
  "GET /api/capacity": {
    id: "getCapacity",
    summary: "Clients by kind, slots, busy slots, measured and expected tasks a second",
    query: serversQuery,
    replies: ok("Capacity"),
  },
  "GET /api/why": {
    id: "why",
    summary: "Why no task is computed",
    description: "At most the 200 newest open jobs are looked at.",
    query: serversQuery,
    replies: ok("Why"),
  },
  "GET /api/history": {
    id: "getHistory",
    summary: "Figures of each minute of the last 24 hours",
    replies: ok("History"),
  },
  "GET /api/attempts": {
    id: "listAttempts",
    summary: "Attempts that ended lately at this server, and those that run",
    query: [
      {
        name: "life",
        in: "query",
        schema: { type: "string" },
        description:
          "`life` of the reply before; without it, or after a restart, from the oldest attempt on.",
      },
      {
        name: "after",
        in: "query",
        schema: { type: "integer", minimum: 0 },
        description: "`next` of the reply before.",
      },
    ],
    replies: ok("Attempts"),
  },
  "POST /api/scrub": {
    id: "scrub",
    summary: "Verify everything that the server keeps",
    description: "Lasts as long as the request. Damaged blobs are set aside; the last line has `done`.",
    replies: {
      200: { description: "How it goes.", content: { "application/x-ndjson": { of: "ScrubProgress" } } },
    },
  },
  "POST /api/backup": {
    id: "backup",
    summary: "Write a backup to a directory of the server's machine",
    description:
      "Lasts as long as the request. The last line has `done`, or a `failure`; an earlier backup there stays whole until then.",
    body: either("Backup"),
    replies: {
      200: { description: "How it goes.", content: { "application/x-ndjson": { of: "BackupProgress" } } },
    },
  },
  "GET /api/events": {
    id: "watch",
    summary: "Snapshots about once a second, as server-sent events",
    description: "The data of each event is a `Snapshot`; an event `alive` says that nothing has changed.",
    replies: { 200: { description: "Events.", content: { "text/event-stream": "text" } } },
  },
  "POST /api/sign-in": {
    id: "signIn",
    summary: "Exchange a token for a cookie (browsers)",
    body: either("SignIn"),
    replies: ok("SignedIn"),
  },
  "GET /api/sign-in": {
    id: "getSignIn",
    summary: "Who is asking; nulls for nobody",
    replies: ok("SignedIn"),
  },
  "DELETE /api/sign-in": { id: "signOut", summary: "Forget the cookie", replies: done },
  "GET /api/openapi.json": {
    id: "getOpenApi",
    summary: "This document",
    replies: { 200: { description: "OpenAPI 3.1", content: { "application/json": "bytes" } } },
  },
  "GET /manyhands.py": {
    id: "getPythonModule",
    summary: "The Python module of this server's version",
    description: "One file that needs the standard library of Python 3.9 or later only (docs/python.md).",
    replies: {
      200: { description: "The module. ETag is its SHA-256.", content: { "text/x-python": "text" } },
      304: { description: "If-None-Match names it: nothing is sent." },
    },
  },
  "GET /healthz": {
    id: "getHealth",
    summary: "Whether the server can keep what it is given",
    replies: {
      200: { description: "It can.", content: { "application/json": { of: "Health" } } },
      503: {
        description: "It cannot, or it is going down, and this is why.",
        content: { "application/json": { of: "Unhealthy" } },
      },
    },
  },
  "GET /metrics": {
    id: "getMetrics",
    summary: "Prometheus metrics",
    replies: { 200: { description: "Text format.", content: { "text/plain": "text" } } },
  },
};
