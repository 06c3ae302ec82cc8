import { limits } from "../../../shared/limits.ts";
import { jobListStates, jobSorts } from "../../../shared/wire/rest/job-list.ts";
import { nextCursorHeader } from "../../../shared/wire/rest/pages.ts";
import { customerPriority, type RouteName } from "../../access/rules.ts";
import { done, either, made, ok, type Operation } from "./operation.ts";

const jobVerb = (id: string, summary: string): Operation => ({ id, summary, replies: ok("Job") });

const closeQuery = [
  {
    name: "close",
    in: "query",
    schema: { type: "string", enum: ["0", "1"], default: "0" },
    description: "1: these are the last; the job is closed once they are stored, as `POST …/close` does.",
  },
];

const encodingHeader = [
  {
    name: "Content-Encoding",
    in: "header",
    schema: { type: "string", enum: ["identity", "gzip"], default: "identity" },
    description:
      "gzip: the body, in any of its forms, comes compressed (curl: `gzip -c FILE | curl --data-binary @- -H 'Content-Encoding: gzip' …`). Limits are of the inflated bytes.",
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

export const jobOperations = {
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
    headers: encodingHeader,
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
  "POST /api/change-jobs": {
    id: "changeJobs",
    summary: "Pause, resume or cancel several jobs",
    description:
      "A job that has ended, or is deleted meanwhile, is left, and `refused` says why. NOT_FOUND when the caller may not see one of `jobs`; nothing is changed then.",
    body: either("ChangeJobs"),
    replies: ok("ChangedJobs"),
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
  "POST /api/groups/{group}/cancel": {
    id: "cancelGroup",
    summary: "Cancel every job of a group that has not ended",
    description: "A customer's own jobs; an admin's: everybody's. A group without such jobs is no error.",
    replies: ok("CancelledGroup"),
  },
} satisfies Partial<Record<RouteName, Operation>>;
