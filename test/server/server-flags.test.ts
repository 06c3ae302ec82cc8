import { Command } from "commander";
import { expect, test } from "vitest";
import { addServerFlags, readServerFlags } from "../../server/server-flags.ts";

const day = 86_400_000;

function keepJobs(...words: string[]) {
  const command = new Command("server").exitOverride().configureOutput({ writeErr: () => undefined });
  addServerFlags(command);
  command.parse(words, { from: "user" });
  return readServerFlags(command).options.keepJobs;
}

test("[KEEP-1] --keep-jobs takes one time for all ends of jobs, or one for each; without it jobs are kept for ever", () => {
  expect(keepJobs()).toEqual({});
  expect(keepJobs("--keep-jobs", "30d")).toEqual({ done: 30 * day, failed: 30 * day, cancelled: 30 * day });
  expect(keepJobs("--keep-jobs", "done=12h, cancelled=8w")).toEqual({ done: day / 2, cancelled: 56 * day });
  for (const text of ["30", "d", "open=3d", "done=30d,", "done=soon"])
    expect(() => keepJobs("--keep-jobs", text), text).toThrow(/is no (time|end of a job)/);
});
