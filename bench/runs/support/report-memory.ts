/**
 * Loaded into a process that is measured (`node --expose-gc --import …/report-memory.ts`): on SIGUSR2 it collects garbage and writes
 * what it uses to the file that MEMORY_REPORT names.
 */
import { renameSync, writeFileSync } from "node:fs";

const file = process.env["MEMORY_REPORT"];

process.on("SIGUSR2", () => {
  // As when memory runs out: empty pages go back, so that what is resident is what is used.
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  const { rss, heapUsed, external } = process.memoryUsage();
  if (!file) return;
  writeFileSync(`${file}.new`, JSON.stringify({ rss, heapUsed, external }));
  renameSync(`${file}.new`, file);
});
