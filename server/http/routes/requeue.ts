import { PlatformError } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import { limits, recordLimits } from "../../../shared/limits.ts";
import { failurePattern } from "../../../shared/wire/failure-pattern.ts";
import type { TaskFailure } from "../../../shared/wire/rest/failures.ts";
import type { JobInfo } from "../../../shared/wire/rest/jobs.ts";
import {
  requeueJobsSchema,
  requeueSchema,
  type Requeue,
  type RequeuedJobs,
  type RequeueJobs,
} from "../../../shared/wire/rest/requeue.ts";
import { parseBody, parseOptionalBody } from "../body.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { jobOf, jobsByIds, principalOf, visibleTo } from "../ownership.ts";
import { reply } from "../reply.ts";

type Names = "POST /api/jobs/{id}/requeue-failed" | "POST /api/requeue-failed";

/** Tries failed tasks again: of a job, of a group of its failures, of several jobs. */
export function requeueRoutes({ platform }: HttpParts): Routes<Names> {
  return {
    "POST /api/jobs/{id}/requeue-failed": async (call) => {
      const { id } = await jobOf(call, platform);
      const asked = await parseOptionalBody(call.req, call.res, requeueSchema);
      const requeued = await platform.requeueFailed(id, chosen(asked));
      await call.note(`${requeued.requeued} tasks`);
      reply(call, requeued);
    },
    "POST /api/requeue-failed": async (call) => {
      const asked = await parseBody(call.req, call.res, requeueJobsSchema);
      const jobs = await jobsOf(call, platform, asked);
      const done: RequeuedJobs = { requeued: 0, jobs: [] };
      for (const id of jobs) {
        const one = await requeueOne(platform, id, chosen(asked));
        done.jobs.push(one);
        done.requeued += one.requeued;
      }
      await call.note(`${done.requeued} tasks of ${jobs.length} jobs`);
      reply(call, done);
    },
  };
}

/** The failures that a request names; undefined for all. */
function chosen({
  group,
  message,
}: Requeue | { group?: string; message?: string }): ((failure: TaskFailure) => boolean) | undefined {
  const words = message?.toLowerCase();
  const among = typeof group === "object" ? group : undefined;
  if (!among && words === undefined) return undefined;
  return (failure) =>
    (!among || (failure.kind === among.kind && failurePattern(failure) === among.pattern)) &&
    (words === undefined || failure.message.toLowerCase().includes(words));
}

/** @throws PlatformError BAD_REQUEST, NOT_FOUND for a job that the caller may not see */
async function jobsOf(
  call: Call,
  platform: HttpParts["platform"],
  { jobs, group }: RequeueJobs,
): Promise<readonly JobId[]> {
  if ((jobs === undefined) === (group === undefined))
    throw new PlatformError("BAD_REQUEST", "Expected either jobs or group.");
  const principal = principalOf(call);
  if (jobs) return (await jobsByIds(call, platform, jobs)).map(({ id }) => id);
  const failing: JobInfo[] = [];
  let cursor: string | undefined;
  do {
    const page = await platform.jobs({
      ...visibleTo(principal),
      group: group!,
      state: "failing",
      limit: limits.jobsPerPage,
      ...(cursor !== undefined && { cursor }),
    });
    failing.push(...page.jobs.filter(({ state }) => state !== "cancelled"));
    cursor = page.next;
  } while (cursor !== undefined && failing.length < recordLimits.changedJobs);
  if (failing.length > recordLimits.changedJobs)
    throw new PlatformError(
      "BAD_REQUEST",
      `The group has more than ${recordLimits.changedJobs} jobs with failed tasks. Expected the jobs by their ids, in several requests.`,
    );
  // Oldest first: a job that waits for another is requeued after that one.
  return failing.map(({ id }) => id).toReversed();
}

async function requeueOne(
  platform: HttpParts["platform"],
  id: JobId,
  among: ReturnType<typeof chosen>,
): Promise<RequeuedJobs["jobs"][number]> {
  try {
    return { id, requeued: (await platform.requeueFailed(id, among)).requeued };
  } catch (error) {
    const { code, message } = PlatformError.from(error);
    if (code !== "WRONG_STATE" && code !== "NOT_FOUND") throw error;
    return { id, requeued: 0, refusal: { code, message } };
  }
}
