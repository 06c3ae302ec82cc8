import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";

it("[KERNEL] `process` is an empty shell for a kernel that gets hold of it all the same", async () => {
  const child = fork(join(import.meta.dirname, "stripped-process.ts"), { serialization: "advanced" });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [found] = (await once(child, "message")) as [Record<string, string[]>];
  expect(found["callable"]!.sort()).toEqual([
    "_fatalException",
    "disconnect",
    "emit",
    "emitWarning",
    "nextTick",
  ]);
  // Only constants remain: names and versions, and the table of listeners.
  const objects = new Set(found["readable"]!.map((path) => path.split(".")[0]));
  expect([...objects].toSorted((a, b) => (a! < b! ? -1 : 1))).toEqual(["_events", "features", "versions"]);
  expect(found).toMatchObject({ replaced: [], inherited: [], exposed: [] });
});
