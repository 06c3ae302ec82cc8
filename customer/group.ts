import { groupSchema } from "../shared/wire/rest/job-options.ts";
import type { JobInfo } from "../shared/wire/rest/jobs.ts";
import type { RequeuedJobs } from "../shared/wire/rest/requeue.ts";
import * as v from "valibot";
import { PlatformError } from "../shared/errors.ts";
import { limits } from "../shared/limits.ts";
import type { Api } from "./api.ts";

/** The jobs that were submitted with one `group`. Made by `hands.group(name)`; a group exists without being created. */
export class Group {
  readonly name: string;
  readonly #api: Api;

  /** @throws PlatformError BAD_OPTION */
  constructor(api: Api, name: string) {
    if (!v.is(groupSchema, name))
      throw new PlatformError("BAD_OPTION", `A group's name has 1 to ${limits.nameChars} characters.`);
    this.#api = api;
    this.name = name;
  }

  /** Your jobs of this group (all customers' for an administrator), newest first. */
  jobs(): Promise<JobInfo[]> {
    return this.#api.jobs({ group: this.name });
  }

  /** Tries the failed tasks of the group's jobs once more. A job that cannot be requeued is left, and its `refusal` says why. */
  requeueFailed(only: { message?: string } = {}): Promise<RequeuedJobs> {
    return this.#api.requeueJobs({ ...only, group: this.name });
  }

  /** Cancels every job of the group that has not ended, and resolves to these jobs. Results so far stay. */
  async cancel(): Promise<JobInfo[]> {
    return (await this.#api.cancelGroup(this.name)).cancelled;
  }
}
