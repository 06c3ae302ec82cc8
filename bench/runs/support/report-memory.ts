/**
 * Loaded into a process that is measured (`node --expose-gc --import …/report-memory.ts`): SIGUSR2 makes the process collect its
 * garbage and write its memory to the file that MEMORY_REPORT names.
 */
import { renameSync, writeFileSync } from "node:fs";

const file = process.env["MEMORY_REPORT"];

process.on("SIGUSR2", () => {
  // A collection of the last resort gives empty pages back, so that resident memory is used memory.
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  const { rss, heapUsed, external } = process.memoryUsage();
  if (!file) return;
  writeFileSync(`${file}.new`, JSON.stringify({ rss, heapUsed, external }));
  renameSync(`${file}.new`, file);
});
