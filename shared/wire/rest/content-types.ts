export const contentTypes = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  msgpack: "application/x-msgpack",
  /** Tasks as columns: shared/wire/task-pack.ts. */
  taskPack: "application/x-manyhands-tasks",
  /** Results as columns, in frames: shared/wire/result-pack.ts. */
  resultPack: "application/x-manyhands-results",
} as const;
