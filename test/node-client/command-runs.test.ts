import { expect, onTestFinished, test } from "vitest";
import { openCommands } from "../../node-client/commands/commands.ts";
import { RunDirectory } from "../../node-client/commands/run-directory.ts";
import { startRun } from "../../node-client/commands/run.ts";
import type { AllowedCommand } from "../../node-client/commands/allowed.ts";
import type { CommandData } from "../../node-client/commands/command-parts.ts";
import { isLinux, unlessLinux } from "../support/skipped.ts";

const sh: AllowedCommand = {
  name: "sh",
  path: "/bin/sh",
  args: ["-c"],
  env: {},
  processes: 64,
  threads: 1,
  stdoutMb: 1,
  outputMb: 4,
  network: false,
  reads: [],
  writes: [],
};
const refused = (): Promise<never> => Promise.reject(new Error("The command has no data."));
const noData: CommandData = { data: refused, put: refused };

test.skipIf(!isLinux)(
  `[COMMAND-4] a command that is quicker than the looks keeps its bounds, too${unlessLinux}`,
  async () => {
    const commands = openCommands([sh], { niceness: 0, log: () => undefined });
    onTestFinished(() => commands.close());
    const own = commands.forSandbox({ command: "sh", memoryMb: 64 }, noData);
    const call = (script: string): Promise<unknown> => own.run({ args: [script], files: {}, outputs: [] });
    await expect(call("head -c 3000000 /dev/zero")).rejects.toThrow(
      "sh wrote more than 1 MiB to standard output",
    );
    await expect(call("head -c 3000000 /dev/zero > a; head -c 3000000 /dev/zero > b")).rejects.toThrow(
      "sh left more than 4 MiB on disk",
    );
    await expect(call("head -c 3000000 /dev/zero > a")).resolves.toMatchObject({ exitCode: 0, left: ["a"] });
  },
);

test.skipIf(!isLinux)(
  `[COMMAND-5] a command of a task that was cancelled before does not start${unlessLinux}`,
  async () => {
    const directory = await RunDirectory.make();
    onTestFinished(() => directory.remove());
    await directory.place(directory.stream("stdin"), new Uint8Array(), {
      ...noData,
      signal: AbortSignal.any([]),
    });
    const start = (): unknown =>
      startRun({
        allowed: sh,
        directory,
        launcher: [],
        work: directory.work,
        temporary: directory.temporary,
        args: ["-c", "sleep 100"],
        memoryMb: 64,
        niceness: 0,
        givenBytes: 0,
        signal: AbortSignal.abort(new Error("The task has ended.")),
      });
    expect(start).toThrow("The task has ended.");
  },
);
