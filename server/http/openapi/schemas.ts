import * as v from "valibot";
import { blobNameSchema } from "../../../shared/data-reference.ts";
import { errorCodes } from "../../../shared/errors.ts";
import { attachmentSchema } from "../../../shared/wire/rest/attachments.ts";
import { auditEntrySchema } from "../../../shared/wire/rest/audit.ts";
import { capacitySchema } from "../../../shared/wire/rest/capacity.ts";
import { changedJobsSchema, changeJobsSchema } from "../../../shared/wire/rest/change-jobs.ts";
import {
  banInfoSchema,
  clientActionSchema,
  clientInfoSchema,
  clientsActedSchema,
} from "../../../shared/wire/rest/clients.ts";
import { failureGroupsSchema } from "../../../shared/wire/rest/failures.ts";
import { createJobSchema, prioritySchema } from "../../../shared/wire/rest/job-options.ts";
import { cancelledGroupSchema, jobProgressSchema, jobSchema } from "../../../shared/wire/rest/jobs.ts";
import { precacheProgressSchema, precacheSchema } from "../../../shared/wire/rest/precache.ts";
import { publicStatusSchema } from "../../../shared/wire/rest/public-status.ts";
import { requeuedJobsSchema, requeueJobsSchema, requeueSchema } from "../../../shared/wire/rest/requeue.ts";
import { followedProvisionalSchema, resultLineSchema } from "../../../shared/wire/rest/results.ts";
import { snapshotSchema, statusSchema } from "../../../shared/wire/rest/status.ts";
import { submittedSchema, taskItemSchema, taskLineSchema } from "../../../shared/wire/rest/submission.ts";
import { jobCostSchema, taskInfoSchema } from "../../../shared/wire/rest/tasks.ts";
import {
  changeTokenSchema,
  createdTokenSchema,
  createTokenSchema,
  tokenInfoSchema,
} from "../../../shared/wire/rest/tokens.ts";
import { backupProgressSchema, backupSchema, scrubProgressSchema } from "../../../shared/wire/rest/upkeep.ts";
import { quotasSchema, usageSchema } from "../../../shared/wire/rest/usage.ts";
import { setVerifySchema } from "../../../shared/wire/rest/verification.ts";
import { attemptsSchema } from "../../../shared/wire/attempts.ts";
import { commandKernelSchema } from "../../../shared/wire/command-kernel.ts";
import { historySchema } from "../../../shared/wire/history.ts";
import { wheelInfoSchema } from "../../../shared/wire/wheels.ts";
import { whySchema } from "../../../shared/wire/why.ts";
import { resultFrameSchema } from "../../../shared/wire/result-pack.ts";
import { taskPackSchema } from "../../../shared/wire/task-pack.ts";
import { banSchema } from "../routes/clients.ts";
import { postKernelSchema, pythonKernelInfoSchema, pythonKernelSchema } from "../routes/kernels.ts";
import { signedInSchema, signInSchema } from "../routes/sign-in.ts";

/** Named schemas of the document for the server's replies. */
export const sent = {
  Job: jobSchema,
  JobProgress: jobProgressSchema,
  Requeued: v.strictObject({ requeued: v.number(), job: jobSchema }),
  RequeuedJobs: requeuedJobsSchema,
  ChangedJobs: changedJobsSchema,
  FailureGroups: failureGroupsSchema,
  JobCost: jobCostSchema,
  Task: taskInfoSchema,
  Attachment: attachmentSchema,
  AuditEntry: auditEntrySchema,
  PublicStatus: publicStatusSchema,
  CancelledGroup: cancelledGroupSchema,
  Submitted: submittedSchema,
  ResultLine: resultLineSchema,
  FollowedProvisional: followedProvisionalSchema,
  ResultFrame: resultFrameSchema,
  LogLine: v.strictObject({ at: v.number(), index: v.number(), client: v.string(), line: v.string() }),
  BlobName: blobNameSchema,
  PythonKernel: pythonKernelInfoSchema,
  Wheel: wheelInfoSchema,
  PrecacheProgress: precacheProgressSchema,
  ScrubProgress: scrubProgressSchema,
  BackupProgress: backupProgressSchema,
  Client: clientInfoSchema,
  BanInfo: banInfoSchema,
  Capacity: capacitySchema,
  Why: whySchema,
  ClientsActed: clientsActedSchema,
  History: historySchema,
  Attempts: attemptsSchema,
  Status: statusSchema,
  Snapshot: snapshotSchema,
  Usage: usageSchema,
  Token: tokenInfoSchema,
  CreatedToken: createdTokenSchema,
  SignedIn: signedInSchema,
  Health: v.strictObject({ status: v.literal("ok"), version: v.string() }),
  Unhealthy: v.strictObject({
    status: v.literal("failing"),
    version: v.string(),
    code: v.picklist(errorCodes),
    message: v.string(),
    remedy: v.string(),
  }),
  Error: v.strictObject({
    code: v.picklist(errorCodes),
    message: v.string(),
    remedy: v.string(),
    retryable: v.boolean(),
  }),
} as const;

/** Named schemas of request bodies: fields with a default may be left out. */
export const taken = {
  CreateJob: createJobSchema,
  TaskLine: taskLineSchema,
  TaskItem: taskItemSchema,
  TaskPack: taskPackSchema,
  Priority: prioritySchema,
  Requeue: requeueSchema,
  RequeueJobs: requeueJobsSchema,
  ChangeJobs: changeJobsSchema,
  SetVerify: setVerifySchema,
  Precache: precacheSchema,
  Backup: backupSchema,
  PostKernel: postKernelSchema,
  PythonProgram: pythonKernelSchema,
  CommandKernel: commandKernelSchema,
  Ban: banSchema,
  ClientAction: clientActionSchema,
  CreateToken: createTokenSchema,
  ChangeToken: changeTokenSchema,
  Quotas: quotasSchema,
  SignIn: signInSchema,
} as const;

/** Name of a schema of the document. */
export type SchemaName = keyof typeof sent | keyof typeof taken;
