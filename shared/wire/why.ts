import * as v from "valibot";

/** Reasons why no task is computed (SPEC.md [WHY-1]). */
export const reasonCodes = [
  "banned",
  "notConnected",
  "clientAway",
  "clientPaused",
  "clientDrained",
  "networkBehind",
  "auditorWaits",
  "starting",
  "stopping",
  "noJobs",
  "ended",
  "waitsForJobs",
  "paused",
  "quotaFull",
  "missingKernel",
  "missingData",
  "noTasks",
  "noMoreTasks",
  "noClients",
  "clientsAway",
  "needsCommand",
  "needsKind",
  "needsMemory",
  "needsWebgpu",
  "needsTrust",
  "needsSigner",
  "needsTogether",
  "clientsPaused",
  "barred",
  "heldBack",
  "clientsBusy",
  "creditUsed",
  "needsOpinions",
  "needsOtherClients",
  "checking",
  "allLeased",
  "slowClients",
  "saving",
  "reading",
  "elsewhere",
] as const;
export type ReasonCode = (typeof reasonCodes)[number];

/** A reason as a plain sentence, and its parts for programs and other languages. A later server may have further codes. */
export const reasonSchema = v.object({
  code: v.string(),
  text: v.string(),
  /** Number of jobs that the reason holds up, where several are looked at. */
  jobs: v.optional(v.number()),
  /** Number of tasks, or of clients, that the sentence names. */
  count: v.optional(v.number()),
  /** Milliseconds until the reason ends by itself; absent when that is not known. */
  endsInMs: v.optional(v.number()),
});
export type Reason = v.InferOutput<typeof reasonSchema>;

/** The answer to `GET /api/why`, `GET /api/jobs/{id}/why` and `GET /api/clients/{id}/why`. */
export const whySchema = v.object({
  /** Leased tasks: of the server, the job, or the client. */
  running: v.number(),
  /** The most important first. Empty when tasks are computed as fast as they can be. */
  reasons: v.array(reasonSchema),
});
export type Why = v.InferOutput<typeof whySchema>;
