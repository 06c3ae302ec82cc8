/**
 * The Manyhands SDK: map a function over inputs on every browser and machine that joined a server.
 *
 * @example
 * import { connect } from "manyhands";
 * const hands = await connect();
 * console.log(await hands.map((x: number) => x * x, [1, 2, 3])); // [1, 4, 9]
 *
 * @packageDocumentation
 */
export { connect, defaultServerUrl, type ConnectOptions } from "./connect.ts";
export { Hands } from "./hands.ts";
export type { ExecutorOptions, MapOptions } from "./map-options.ts";
export { Executor } from "./executor.ts";
export { Group } from "./group.ts";
export type { JobListFilter } from "./api.ts";
export { Job, type ProvisionalNews, type ProvisionalResult, type SettledTask } from "./job.ts";
export type { WatchOptions } from "./watch-options.ts";
export type { TaskOutcome } from "./outcomes.ts";
export type { Outputs } from "./outputs.ts";
export type { Progress } from "./progress.ts";
export { Precache, type PrecacheOptions } from "./precache.ts";
export { Reduction, type CombineOptions, type ReduceOptions } from "./reduction.ts";
export type { Combine } from "./kernel/reducing.ts";
export type { PutSource, TransferOptions, TransferProgress } from "./blobs.ts";
export type { Inputs } from "./submission.ts";
export {
  kernelModule,
  type ArgumentsKernel,
  type KernelFunction,
  type KernelModule,
  type KernelModuleOf,
  type OutputOf,
} from "./kernel/kernel-source.ts";
export { command, type Command, type CommandOptions, type CommandOutputOf } from "./kernel/command.ts";
export { program, type Program, type ProgramOptions, type ProgramOutputOf } from "./kernel/program.ts";
export type { ProgramInput, ProgramSource, ProgramValue } from "./kernel/program-kernel.ts";
export type { ProgramOutput } from "./wasi/outcome.ts";
export { python, type PythonFunction, type PythonOptions } from "./python-kernel/python-function.ts";
export { TaskError, TaskFailedError } from "./task-error.ts";
export { DataReference } from "../shared/data-reference.ts";
export { PlatformError, type ErrorCode } from "../shared/errors.ts";
export type { NumericArray, Value } from "../shared/wire/codec.ts";
export { statementText } from "../shared/wire/statement-text.ts";
export type {
  CommandFile,
  CommandRequest,
  CommandResult,
  Kernel,
  KernelContext,
  KernelExports,
  VerifyingContext,
} from "../shared/wire/kernel.ts";
export type { Attachment } from "../shared/wire/rest/attachments.ts";
export type { Capacity } from "../shared/wire/rest/capacity.ts";
export type { ClientInfo } from "../shared/wire/rest/clients.ts";
export type { FailureGroup, FailureGroups, TaskFailure } from "../shared/wire/rest/failures.ts";
export type { JobSort } from "../shared/wire/rest/job-list.ts";
export type { JobState } from "../shared/wire/rest/job-state.ts";
export type { JobInfo } from "../shared/wire/rest/jobs.ts";
export type { PrecacheProgress } from "../shared/wire/rest/precache.ts";
export type { Requeue, RequeuedJobs } from "../shared/wire/rest/requeue.ts";
export type { Requirements } from "../shared/wire/rest/requirements.ts";
export type { ServerStatus } from "../shared/wire/rest/status.ts";
export type { JobCostInfo } from "../shared/wire/rest/tasks.ts";
export type { Compare, SetVerify, Statement, Verify } from "../shared/wire/rest/verification.ts";
