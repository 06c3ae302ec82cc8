import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LivePlatform } from "../customer/live-platform.ts";
import { isLinux, unlessLinux } from "../support/skipped.ts";
import { printedBy, python, whySkipped } from "./programs.ts";

describe.skipIf(python === undefined || !isLinux)(`commands from Python${whySkipped}${unlessLinux}`, () => {
  let platform: LivePlatform;
  beforeAll(async () => {
    platform = await LivePlatform.start({ slots: 0 });
    const file = join(platform.directory, "commands.json");
    await writeFile(file, JSON.stringify({ sort: "/usr/bin/sort", sh: "/bin/sh" }));
    platform.startClient(2, ["--allow-commands", file]);
  });
  afterAll(() => platform.close());

  it("[COMMAND-1] run as from the SDK", async () => {
    const program = join(import.meta.dirname, "commands.py");
    expect(await printedBy([program], platform.environment)).toEqual({
      sorted: ["a\nb\n", "1\n2\n"],
      piped: ["c\nd\n"],
      large: ["2000000\n"],
      referred: ["2000000\n"],
      small: "one\n",
      left: 100_000,
      submitted: "a1\n",
      failure: expect.stringMatching(/sh ended with exit code 3\. Standard error:\nbad/) as string,
      refusal: expect.stringContaining("name of a command") as string,
    });
  });
});
