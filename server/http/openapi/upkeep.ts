import type { RouteName } from "../../access/rules.ts";
import { either, type Operation } from "./operation.ts";

export const upkeepOperations = {
  "POST /api/scrub": {
    id: "scrub",
    summary: "Verify everything that the server keeps",
    description: "Lasts as long as the request. Damaged blobs are set aside; the last line has `done`.",
    replies: {
      200: { description: "How it goes.", content: { "application/x-ndjson": { of: "ScrubProgress" } } },
    },
  },
  "POST /api/backup": {
    id: "backup",
    summary: "Write a backup to a directory of the server's machine",
    description:
      "Lasts as long as the request. The last line has `done`, or a `failure`; an earlier backup there stays whole until then.",
    body: either("Backup"),
    replies: {
      200: { description: "How it goes.", content: { "application/x-ndjson": { of: "BackupProgress" } } },
    },
  },
} satisfies Partial<Record<RouteName, Operation>>;
