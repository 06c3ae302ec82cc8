import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import { jobIdSchema, type JobId } from "../../shared/ids.ts";
import type { JobInfo } from "../../shared/wire/rest.ts";
import type { Principal } from "../access/principal.ts";
import { maySee } from "../access/rules.ts";
import type { Platform } from "../platform.ts";
import { check } from "./body.ts";
import type { Call } from "./context.ts";
import { parameter } from "./reply.ts";

/** The customer or admin who calls; the rules let nobody else through to where this is asked. */
export function principalOf({ caller }: Call): Principal {
  if (caller?.kind === "token") return caller;
  throw new PlatformError("FORBIDDEN", "This is for customers and admins.");
}

/**
 * The job that the path names, if the caller may see it. Another customer's job does not exist for a customer.
 * @throws PlatformError BAD_REQUEST, NOT_FOUND
 */
export async function jobOf(call: Call, platform: Platform): Promise<JobInfo> {
  const principal = principalOf(call);
  const id: JobId = check(jobIdSchema, parameter(call, "id"), "job id");
  const job = await platform.job(id);
  if (maySee(principal, job.customer)) return job;
  throw new PlatformError("NOT_FOUND", `There is no job ${id}.`, undefined, hints.job);
}
