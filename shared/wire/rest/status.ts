import * as v from "valibot";
import { clientInfoSchema } from "./clients.ts";
import { jobSchema } from "./jobs.ts";
import { usageSchema } from "./usage.ts";

/** A server among several. Its figures are a second or two old; those of a dead server are its last. */
const serverSchema = v.object({
  name: v.string(),
  url: v.nullable(v.string()),
  since: v.number(),
  live: v.boolean(),
  /** Time since the server last told that it lives. */
  silentMs: v.number(),
  version: v.nullable(v.string()),
  clients: v.number(),
  slots: v.number(),
  /** Leased tasks. */
  tasks: v.number(),
  /** Tasks that the server has taken for its clients, the leased ones included. */
  claimed: v.number(),
  rate: v.number(),
  /** Delay of the server's event loop. */
  lagMs: v.number(),
});

export type ServerInfo = v.InferOutput<typeof serverSchema>;

export const statusSchema = v.object({
  version: v.string(),
  startedAt: v.number(),
  volunteers: v.picklist(["open", "invite", "off"]),
  volunteerUrls: v.array(v.string()),
  jobs: v.number(),
  clients: v.object({ browser: v.number(), node: v.number(), slots: v.number(), busy: v.number() }),
  tasks: v.object({
    queued: v.number(),
    running: v.number(),
    /** Computed by strangers, and not accepted yet. */
    provisional: v.number(),
    done: v.number(),
    failed: v.number(),
    droppedResults: v.number(),
  }),
  /** Results a second, over the last ten seconds. */
  rate: v.number(),
  blobs: v.object({ count: v.number(), bytes: v.number(), quotaBytes: v.number() }),
  /** The servers that share the store, those of the last minute that are gone included; absent with one server alone. */
  servers: v.optional(v.array(serverSchema)),
  /** Stored data that is not as it was written. */
  damaged: v.optional(
    v.object({
      /** Packs of inputs or outputs, checkpoints and kernels in the database that were found damaged since the start. */
      records: v.number(),
      /** Blobs whose files were set aside, until they are put again or removed. */
      blobs: v.number(),
    }),
    { records: 0, blobs: 0 },
  ),
});
export type ServerStatus = v.InferOutput<typeof statusSchema>;

/** The whole picture for the admin page, pushed about once a second (server-sent events, `GET /api/events`). */
export const snapshotSchema = v.object({
  status: statusSchema,
  /** Up to 100 jobs: running, failing and recently failed first, then waiting, then ended. */
  jobs: v.array(jobSchema),
  /** Number of all jobs. */
  jobCount: v.number(),
  /** Up to 100 clients, the connected and busy ones first. */
  clients: v.array(clientInfoSchema),
  /** Number of all clients. */
  clientCount: v.optional(v.number()),
  /** Usage of up to 100 customers, the largest first. */
  usage: v.array(usageSchema),
  /** Results a second, a number for each of the last 300 seconds, oldest first. */
  throughput: v.array(v.number()),
});
export type Snapshot = v.InferOutput<typeof snapshotSchema>;
