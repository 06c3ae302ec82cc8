import * as v from "valibot";
import { jobIdSchema, taskIndexSchema } from "../../ids.ts";
import { limits } from "../../limits.ts";
import { text } from "./fields.ts";
import { pageLength } from "./pages.ts";

export const clientInfoSchema = v.object({
  id: v.string(),
  name: v.string(),
  kind: v.picklist(["browser", "node"]),
  trusted: v.boolean(),
  address: v.string(),
  connected: v.boolean(),
  slots: v.number(),
  memoryMb: v.number(),
  webgpu: v.boolean(),
  /** Leases that the client holds now. */
  leases: v.number(),
  /** The oldest leases: most likely the running tasks. */
  current: v.array(v.object({ job: jobIdSchema, index: taskIndexSchema, progress: v.number() })),
  done: v.number(),
  failed: v.number(),
  /** Share of data references that were in the client's cache when their task was leased, 0 … 1; null before the first. */
  cacheHitRatio: v.nullable(v.number()),
  connectedAt: v.number(),
  lastSeenAt: v.number(),
  /** Attempts that ended without a result: the client vanished, or did not deliver in time. */
  lost: v.optional(v.number(), 0),
  /** Results that verify those of others. */
  checked: v.optional(v.number(), 0),
  /** Run time of a task on one slot in ms, smoothed over its last ones; null before the first. */
  taskMs: v.optional(v.nullable(v.number()), null),
  /** Blobs that the client told to have in its cache. */
  cachedBlobs: v.optional(v.number(), 0),
  version: v.optional(v.string(), ""),
  /** The administrator lets the client finish what it holds, and gives it no more. */
  drained: v.optional(v.boolean(), false),
  /** Commands that the client's owner allows. */
  commands: v.optional(v.array(v.string()), () => []),
});
export type ClientInfo = v.InferOutput<typeof clientInfoSchema>;

export const clientStates = ["connected", "gone", "busy", "idle", "drained", "failing", "outdated"] as const;
export const clientSorts = [
  "joined",
  "name",
  "kind",
  "slots",
  "leases",
  "taskMs",
  "done",
  "failed",
  "lost",
  "checked",
  "cache",
  "lastSeen",
  "version",
] as const;

/**
 * The query of `GET /api/clients`. `failing`: at least one task in ten failed or was lost. `outdated`: connected, and of another version than
 * the server that answers.
 */
export const clientQuerySchema = v.strictObject({
  /** Words, each of which must occur in name, address, version or id. */
  search: v.optional(v.pipe(v.string(), v.maxLength(limits.nameChars))),
  state: v.optional(v.picklist(clientStates)),
  kind: v.optional(v.picklist(["browser", "node"])),
  sort: v.optional(v.picklist(clientSorts)),
  /** `desc` is the default for numbers and times, `asc` for texts. */
  order: v.optional(v.picklist(["asc", "desc"])),
  limit: pageLength(limits.jobsPerPage),
  cursor: v.optional(v.pipe(v.string(), v.regex(/^\d{1,9}$/, "expected what Next-Cursor said"))),
});
export type ClientQuery = v.InferOutput<typeof clientQuerySchema>;

/** Header of `GET /api/clients` with the number of clients that match. */
export const clientCountHeader = "Client-Count";

export const clientVerbs = ["drain", "resume", "reload", "disconnect", "ban"] as const;
/** The body of `POST /api/clients`: one verb for several clients. */
export const clientActionSchema = v.strictObject({
  verb: v.picklist(clientVerbs),
  clients: v.pipe(v.array(text(limits.nameChars)), v.minLength(1), v.maxLength(10_000)),
  /** What banned clients are told. */
  reason: v.optional(v.pipe(v.string(), v.maxLength(limits.messageChars)), "by the administrator"),
});
/** The answer to it: how many clients were reached, and which were not. */
export const clientsActedSchema = v.object({
  done: v.number(),
  /** Clients that are not known any more. */
  unknown: v.array(v.string()),
  /** Clients that cannot be asked to reload: gone, or of a version before 0.3.0. */
  unable: v.optional(v.array(v.string()), () => []),
});
export type ClientsActed = v.InferOutput<typeof clientsActedSchema>;

export const banInfoSchema = v.object({
  /** Client id or address. */
  subject: v.string(),
  reason: v.string(),
  at: v.number(),
});
export type BanInfo = v.InferOutput<typeof banInfoSchema>;
