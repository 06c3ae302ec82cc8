import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import { jobIdSchema, type JobId } from "../../shared/ids.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { Principal } from "../access/principal.ts";
import { maySee } from "../access/rules.ts";
import type { BlobOwner } from "../store/store.ts";
import type { Platform } from "../platform.ts";
import { check } from "./body.ts";
import type { Call } from "./context.ts";
import { parameter } from "./reply.ts";

/** The customer or admin of a call; the rules refuse other callers before. */
export function principalOf({ caller }: Call): Principal {
  if (caller?.kind === "token") return caller;
  throw new PlatformError("FORBIDDEN", "This is for customers and admins.");
}

/** Restricts kernels and blobs to a customer's own; undefined for an admin, who sees all. */
export function visibleTo({ role, name }: Principal): (BlobOwner & { customer: string }) | undefined {
  return role === "admin" ? undefined : { customer: name };
}

/**
 * The job in the path, if the caller may see it. A customer gets the same refusal for another customer's job as for a missing
 * one.
 * @throws PlatformError BAD_REQUEST, NOT_FOUND
 */
export async function jobOf(call: Call, platform: Platform): Promise<JobInfo> {
  return seenJob(principalOf(call), platform, check(jobIdSchema, parameter(call, "id"), "job id"));
}

/**
 * The jobs that a request names, each once, if the caller may see them all.
 * @throws PlatformError NOT_FOUND
 */
export async function jobsByIds(
  call: Call,
  platform: Platform,
  ids: readonly JobId[],
): Promise<readonly JobInfo[]> {
  const principal = principalOf(call);
  const jobs: JobInfo[] = [];
  for (const id of new Set(ids)) jobs.push(await seenJob(principal, platform, id));
  return jobs;
}

async function seenJob(principal: Principal, platform: Platform, id: JobId): Promise<JobInfo> {
  const job = await platform.job(id);
  if (maySee(principal, job.customer)) return job;
  throw new PlatformError("NOT_FOUND", `There is no job ${id}.`, undefined, hints.job);
}
