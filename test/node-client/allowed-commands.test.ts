import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readAllowedCommands } from "../../node-client/commands/allowed.ts";
import { runClient } from "../../node-client/run-client.ts";
import { temporaryDirectory } from "../support/processes.ts";

const isWindows = process.platform === "win32";

test.skipIf(isWindows)("[COMMAND-2] a file names commands, as paths or with bounds", async () => {
  const file = join(await temporaryDirectory(), "commands.json");
  await writeFile(
    file,
    `\uFEFF{"sh": "/bin/sh", "cat": {"path": "/bin/cat", "seconds": 9, "reads": ["/data"]}}`,
  );
  expect(readAllowedCommands(file)).toEqual([
    expect.objectContaining({ name: "sh", path: "/bin/sh", processes: 64, network: false, args: [] }),
    expect.objectContaining({ name: "cat", path: "/bin/cat", seconds: 9, reads: ["/data"] }),
  ]);
});

test.skipIf(isWindows)("[COMMAND-2] a file that is wrong is refused, with the place", async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, "commands.json");
  const writable = join(directory, "writable");
  await writeFile(writable, "#!/bin/sh\n");
  await chmod(writable, 0o777);
  const plain = join(directory, "plain");
  await writeFile(plain, "no program");
  const refusals: [unknown, RegExp][] = [
    ["{", /commands\.json of allowed commands: it is no JSON/],
    [[], /of allowed commands: .*xpected/],
    [{}, /at least one command/],
    [{ "a b": "/bin/sh" }, /name of a command/],
    [{ sh: "bin/sh" }, /absolute path/],
    [{ sh: { path: "/bin/sh", second: 1 } }, /sh\.second/],
    [{ sh: { path: "/bin/sh", seconds: 0 } }, /sh\.seconds/],
    [{ sh: "/bin/no-such" }, /sh: \/bin\/no-such cannot be found/],
    [{ sh: "/bin" }, /is no file/],
    [{ sh: writable }, /may be written by everybody/],
    ...(process.getuid?.() === 0 ? [] : [[{ sh: plain }, /is not executable/] as [unknown, RegExp]]),
  ];
  for (const [given, told] of refusals) {
    await writeFile(file, typeof given === "string" ? given : JSON.stringify(given));
    expect(() => readAllowedCommands(file)).toThrow(told);
  }
  expect(() => readAllowedCommands(join(directory, "none"))).toThrow(/cannot be read/);
});

test("[COMMAND-2] a volunteer's client is told that it needs a token", async () => {
  await expect(
    runClient({ server: "http://127.0.0.1:1", allowCommandsFile: "commands.json", logLevel: "warn" }),
  ).rejects.toThrow(/--allow-commands needs --token/);
});
