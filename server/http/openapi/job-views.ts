import type { RouteName } from "../../access/rules.ts";
import { ok, serversQuery, type Operation } from "./operation.ts";

export const jobViewOperations = {
  "GET /api/jobs/{id}/failures": {
    id: "readFailures",
    summary: "Failed tasks by what failed, the largest group first",
    description:
      "Failures of one kind whose messages differ in numbers, hashes and ids alone are a group. All failures: `GET /api/jobs/{id}/results`.",
    replies: ok("FailureGroups"),
  },
  "GET /api/jobs/{id}/cost": {
    id: "readCost",
    summary: "What clients spent on a job, and its slowest tasks",
    description: "Failed and repeated runs included; a few seconds old.",
    replies: ok("JobCost"),
  },
  "GET /api/jobs/{id}/tasks/{index}": {
    id: "getTask",
    summary: "One task: state, sizes, runs, log",
    replies: ok("Task"),
  },
  "GET /api/jobs/{id}/progress": {
    id: "watchJob",
    summary: "How a job stands, pushed as it changes",
    description:
      "NDJSON: a line now and one with each change, at most four a second, until the job has ended or is deleted. Each is the whole picture: a reader that is behind misses lines and gets the newest. A blank line every 3.5 s is a sign of life; skip it.",
    replies: {
      200: { description: "The lines.", content: { "application/x-ndjson": { of: "JobProgress" } } },
    },
  },
  "GET /api/jobs/{id}/why": {
    id: "whyJob",
    summary: "Why no task of a job is computed, or only slow ones",
    query: serversQuery,
    replies: ok("Why"),
  },
  "GET /api/jobs/{id}/logs": {
    id: "readLogs",
    summary: "Newest log lines of the job's kernels",
    query: serversQuery,
    replies: ok("LogLine", true),
  },
} satisfies Partial<Record<RouteName, Operation>>;
