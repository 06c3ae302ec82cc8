import { PlatformError } from "../../../shared/errors.ts";
import { changeJobsSchema, type ChangedJobs, type JobVerb } from "../../../shared/wire/rest/change-jobs.ts";
import { hasEnded } from "../../../shared/wire/rest/job-state.ts";
import type { JobInfo } from "../../../shared/wire/rest/jobs.ts";
import { parseBody } from "../body.ts";
import type { HttpParts, Routes } from "../context.ts";
import { jobsByIds } from "../ownership.ts";
import { reply } from "../reply.ts";

/** Changes wait for the disk together, as many as this. */
const atOnce = 100;

/** Does the same to several jobs. */
export function changeJobsRoutes({ platform }: HttpParts): Routes<"POST /api/change-jobs"> {
  const change = async (verb: JobVerb, job: JobInfo): Promise<ChangedJobs["refused"]> => {
    try {
      mustAllow(verb, job);
      await platform[verb](job.id);
      return [];
    } catch (error) {
      const { code, message } = PlatformError.from(error);
      if (code !== "WRONG_STATE" && code !== "NOT_FOUND") throw error;
      return [{ id: job.id, refusal: { code, message } }];
    }
  };

  return {
    "POST /api/change-jobs": async (call) => {
      const { verb, jobs: ids } = await parseBody(call.req, call.res, changeJobsSchema);
      const jobs = await jobsByIds(call, platform, ids);
      await call.note(`${verb} ${jobs.length}: ${jobs.map(({ id }) => id).join(", ")}`);
      const refused: ChangedJobs["refused"] = [];
      for (let from = 0; from < jobs.length; from += atOnce) {
        const some = jobs.slice(from, from + atOnce);
        refused.push(...(await Promise.all(some.map((job) => change(verb, job)))).flat());
      }
      reply(call, { changed: jobs.length - refused.length, refused });
    },
  };
}

/** @throws PlatformError WRONG_STATE for a job that has ended for good, unless that is what the request wants */
function mustAllow(verb: JobVerb, { state }: JobInfo): void {
  if (!hasEnded(state) || state === "blocked" || (verb === "cancel" && state === "cancelled")) return;
  throw new PlatformError("WRONG_STATE", `The job is ${state}. Expected one that has not ended.`);
}
