import * as v from "valibot";
import { limits } from "../../limits.ts";
import { groupSchema } from "./job-options.ts";
import { jobStates } from "./job-state.ts";
import { pageLength } from "./pages.ts";

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
  limit: pageLength(limits.jobsPerPage),
  cursor: v.optional(
    v.pipe(v.string(), v.regex(/^\d{1,15}(?:\.[\w-]{1,2000})?$/, "expected what Next-Cursor said")),
  ),
});
