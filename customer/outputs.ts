import { PlatformError } from "../shared/errors.ts";
import type { JobId } from "../shared/ids.ts";
import type { SameInputs } from "./same-inputs.ts";

/**
 * The outputs of a job as the inputs of another: `hands.map(kernel, first.outputs())`. They stay on the server, which passes each on when it is
 * accepted. Made by `job.outputs()`.
 */
export class Outputs<Output> {
  /** Carries the type of an output to the next kernel; never set. */
  declare readonly types?: () => Output;
  /** The id of the job whose outputs these are. */
  readonly job: Promise<JobId>;
  /** Resolves when that job has all its inputs. */
  readonly submitted: Promise<void>;
  /** Tells which inputs of that job are known to be the given ones; absent where none were given. */
  readonly same: SameInputs | undefined;

  /** The cancelling of that job, once its submission has failed. */
  readonly left: () => Promise<void> | undefined;
  /** Outputs in one input, which is an array then; absent: an input is an output. */
  readonly perTask: number | undefined;
  /** Inputs of {@link same} on which each input depends. */
  readonly inputsPerTask: number;

  constructor(parts: Omit<Outputs<Output>, "types" | "inGroups">) {
    this.job = parts.job;
    this.submitted = parts.submitted;
    this.same = parts.same;
    this.left = parts.left;
    this.perTask = parts.perTask;
    this.inputsPerTask = parts.inputsPerTask;
  }

  /** The same outputs, so many in an input, which is an array. @throws PlatformError BAD_ARGUMENT when they are in groups already */
  inGroups(perTask: number): Outputs<Output[]> {
    if (this.perTask !== undefined)
      throw new PlatformError(
        "BAD_ARGUMENT",
        `The outputs are in groups of ${this.perTask} already; expected job.outputs() without perTask.`,
      );
    const { job, submitted, same, left, inputsPerTask } = this;
    return new Outputs({ job, submitted, same, left, perTask, inputsPerTask: inputsPerTask * perTask });
  }
}
