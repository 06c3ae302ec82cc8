import type { TaskInfo } from "../../../../shared/wire/rest/tasks.ts";

/** A task's page. */
export const task = {
  title: (index: string) => `Task ${index}`,
  job: "Job",
  states: {
    queued: "queued",
    running: "running",
    provisional: "provisional",
    done: "done",
    failed: "failed",
    cancelled: "cancelled",
  } satisfies Record<TaskInfo["state"], string>,
  input: "Input",
  output: "Output",
  none: "none",
  references: (blobs: string, bytes: string) => `and ${blobs} of ${bytes}`,
  inBlob: "in a blob",
  inline: "inline",
  attempts: "Attempts",
  noAttempts: "None that this server remembers: it keeps the latest of all jobs, since its start.",
  attempt: "Attempt",
  client: "Client",
  time: "Time",
  outcome: "Outcome",
  result: "a result",
  running: "running",
  runningShare: (share: string) => `running, ${share}`,
};
