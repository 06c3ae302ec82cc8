import { limits } from "../../../shared/limits.ts";
import type { JobId } from "../../../shared/ids.ts";
import { isSignedBy } from "../../../signing/keys.ts";
import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import { jobQuerySchema } from "../../../shared/wire/rest/job-list.ts";
import { createJobSchema, groupSchema, prioritySchema } from "../../../shared/wire/rest/job-options.ts";
import type { JobInfo } from "../../../shared/wire/rest/jobs.ts";
import { nextCursorHeader } from "../../../shared/wire/rest/pages.ts";
import { setVerifySchema } from "../../../shared/wire/rest/verification.ts";
import type { Principal } from "../../access/principal.ts";
import { authorisePriority, maySee } from "../../access/rules.ts";
import { check, parseBody } from "../body.ts";
import type { Call, Handler, HttpParts, Routes } from "../context.ts";
import { jobOf, principalOf, visibleTo } from "../ownership.ts";
import { nameSilent, offerCompression, parameter, query, reply, serversOf } from "../reply.ts";
import { TaskBatcher } from "../submit-stream.ts";
import { inputWriter, taskOfJsonInput } from "../task-items.ts";

type Names =
  | "POST /api/jobs"
  | "GET /api/jobs"
  | "GET /api/jobs/{id}"
  | "DELETE /api/jobs/{id}"
  | "POST /api/jobs/{id}/close"
  | "POST /api/jobs/{id}/pause"
  | "POST /api/jobs/{id}/resume"
  | "POST /api/jobs/{id}/cancel"
  | "POST /api/jobs/{id}/priority"
  | "PUT /api/jobs/{id}/verify"
  | "GET /api/jobs/{id}/logs"
  | "POST /api/groups/{group}/cancel";

/** The body may contain the kernel's source and the inputs. */
const createJobBytes = limits.kernelBytes + limits.bodyBytes;

/** Jobs: made, listed, shown and steered. Tasks and results have files of their own. */
export function jobRoutes({ platform, blobs }: HttpParts): Routes<Names> {
  /** A handler that changes a job and replies with the job. */
  const verb =
    (change: (id: JobId) => Promise<JobInfo>): Handler =>
    async (call) => {
      const { id, name, customer } = await jobOf(call, platform);
      await call.note(`“${name}” of ${customer}`);
      reply(call, await change(id));
    };

  return {
    "POST /api/jobs": (call) => {
      offerCompression(call);
      return createJob(call, platform, blobs);
    },
    "GET /api/jobs": (call) => listJobs(call, platform),
    "GET /api/jobs/{id}": async (call) => reply(call, await jobOf(call, platform)),
    "DELETE /api/jobs/{id}": async (call) => {
      const { id, name, customer } = await jobOf(call, platform);
      await call.note(`“${name}” of ${customer}`);
      await platform.deleteJob(id);
      call.res.status(204).end();
    },
    "POST /api/jobs/{id}/close": verb((id) => platform.closeJob(id)),
    "POST /api/jobs/{id}/pause": verb((id) => platform.pause(id)),
    "POST /api/jobs/{id}/resume": verb((id) => platform.resume(id)),
    "POST /api/jobs/{id}/cancel": verb((id) => platform.cancel(id)),
    "POST /api/jobs/{id}/priority": async (call) => {
      const { id } = await jobOf(call, platform);
      const { priority } = await parseBody(call.req, call.res, prioritySchema);
      authorisePriority(principalOf(call), priority);
      await call.note(String(priority));
      reply(call, await platform.setPriority(id, priority));
    },
    "PUT /api/jobs/{id}/verify": async (call) => {
      const job = await jobOf(call, platform);
      const { verify = job.verify, compare = job.compare } = await parseBody(
        call.req,
        call.res,
        setVerifySchema,
      );
      reply(call, await platform.setVerify(job.id, { verify, compare }));
    },
    "GET /api/jobs/{id}/logs": async (call) => {
      const { id } = await jobOf(call, platform);
      const { lines, silent } = await platform.logs(id, serversOf(call));
      nameSilent(call, silent);
      reply(call, lines);
    },
    "POST /api/groups/{group}/cancel": async (call) => {
      const group = check(groupSchema, parameter(call, "group"), "address");
      const cancelled = await platform.cancelGroup({ ...visibleTo(principalOf(call)), group });
      reply(call, { group, cancelled });
    },
  };
}

/** Replies with one page when `limit` is given, otherwise with all jobs. */
async function listJobs(call: Call, platform: HttpParts["platform"]): Promise<void> {
  const given = ["group", "search", "state", "sort", "limit", "cursor"].map((name) => [
    name,
    query(call, name),
  ]);
  const asked = check(
    jobQuerySchema,
    Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    "query",
  );
  const filter = { ...asked, ...visibleTo(principalOf(call)), limit: asked.limit ?? limits.jobsPerPage };
  let { jobs, next } = await platform.jobs(filter);
  while (asked.limit === undefined && next !== undefined) {
    const page = await platform.jobs({ ...filter, cursor: next });
    jobs = [...jobs, ...page.jobs];
    ({ next } = page);
  }
  if (next !== undefined) call.res.setHeader(nextCursorHeader, next);
  reply(call, jobs);
}

/** Refuses another customer's job as if it did not exist; the store checks whether a job exists at all. */
async function mayDependOn(
  platform: HttpParts["platform"],
  principal: Principal,
  id: JobId,
  relation: string,
): Promise<void> {
  const job = await platform.job(id).catch((error: unknown) => {
    if (PlatformError.from(error).code === "NOT_FOUND") return undefined;
    throw error;
  });
  if (job && !maySee(principal, job.customer))
    throw new PlatformError(
      "NOT_FOUND",
      `This job ${relation} job ${id}, and there is no such job. Expected jobs that exist.`,
      undefined,
      hints.job,
    );
}

/**
 * Makes a job, with inputs when they are given. Each step may be repeated (the job by its key, tasks by index, closing always),
 * so that a request can be sent again after a lost reply.
 */
async function createJob(
  call: Call,
  platform: HttpParts["platform"],
  blobs: HttpParts["blobs"],
): Promise<void> {
  const principal = principalOf(call);
  const customer = principal.name;
  const body = await parseBody(call.req, call.res, createJobSchema, createJobBytes);
  const { kernel, inputs, open, ...options } = body;
  authorisePriority(principal, options.priority);
  for (const id of options.after ?? []) await mayDependOn(platform, principal, id, "is to run after");
  const { inputsFrom } = options;
  if (inputsFrom) await mayDependOn(platform, principal, inputsFrom, "takes the outputs of");
  if (inputsFrom && (inputs || open))
    throw new PlatformError(
      "BAD_REQUEST",
      "A job with inputsFrom takes no other inputs, and closes by itself. Expected inputsFrom without inputs and open.",
    );
  if (options.outputsPerTask !== undefined && !inputsFrom)
    throw new PlatformError(
      "BAD_REQUEST",
      "outputsPerTask says how many outputs of the job inputsFrom make an input. Expected inputsFrom with it.",
    );
  const sha256 =
    typeof kernel === "string"
      ? kernel
      : (await platform.putKernel(Buffer.from(kernel.source), customer)).sha256;
  if (options.signature && !isSignedBy(sha256, options.signature))
    throw new PlatformError(
      "BAD_REQUEST",
      `The signature is not of kernel ${sha256}; expected one of its SHA-256 and the signer's name.`,
    );
  const { job, created } = await platform.createJob({ ...options, customer, kernel: sha256 });
  if (inputs && !created) mustFit(job, inputs.length, open);
  // A job that is blocked from the start takes no inputs; its state says why.
  if (inputs && (job.state !== "blocked" || job.counts.total > 0)) {
    const batcher = new TaskBatcher((tasks) => platform.submit(job.id, tasks), "Input", job.counts.total);
    const put = inputWriter(blobs, customer);
    let index = 0;
    await batcher.take(inputs, (input) => taskOfJsonInput(put, index++, input));
    await batcher.finish();
  }
  const whole = inputs && !open ? await platform.closeJob(job.id) : inputs ? await platform.job(job.id) : job;
  call.res.setHeader("Location", `/api/jobs/${job.id}`);
  reply(call, whole, created ? 201 : 200);
}

/** @throws PlatformError CONFLICT when the job was found by its key and has another number of inputs */
function mustFit({ id, key, state, counts }: JobInfo, given: number, open: boolean): void {
  const hasAll = state === "closed" || state === "finished";
  if ((given < counts.total && !open) || (given > counts.total && hasAll))
    throw new PlatformError(
      "CONFLICT",
      `The key "${key}" stands for job ${id}, which has ${counts.total} inputs; ${given} were given now. Expected the same inputs, or another key.`,
    );
}
