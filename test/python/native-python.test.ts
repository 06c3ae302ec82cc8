import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { python as functionOf } from "../../customer/index.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { launcher, startNode } from "../support/processes.ts";
import { isLinux, skipped, unlessLinux } from "../support/skipped.ts";
import { allowedPython, printedBy, python, whySkipped } from "./programs.ts";

const hasNumpy = python !== undefined && spawnSync(python, ["-c", "import numpy"]).status === 0;
const withoutNumpy = skipped(!hasNumpy, "python3 has no numpy");

describe.skipIf(python === undefined || !isLinux)(
  `functions for the client's own Python${whySkipped}${unlessLinux}`,
  () => {
    let platform: LivePlatform;
    let told: Record<string, unknown>;
    beforeAll(async () => {
      platform = await LivePlatform.start({ slots: 0 });
      const file = join(platform.directory, "commands.json");
      await writeFile(file, JSON.stringify({ python3: allowedPython() }));
      platform.startClient(2, ["--allow-commands", file]);
      told = await printedBy([join(import.meta.dirname, "native_python.py")], platform.environment);
    }, 120_000);
    afterAll(() => platform.close());

    it("[COMMAND-8] compute with threads, processes and files, and print into the job's log", () => {
      expect(told["described"]).toEqual([
        { scaled: 3, bytes: 10, threads: 1, random: null },
        { scaled: 6, bytes: 3, threads: 1, random: null },
      ]);
      expect(told["sameRandom"]).toBe(true);
      expect(told["logs"]).toEqual(["line 0", "line 1"]);
      expect(told["starmap"]).toEqual([1024, 9]);
      expect(told["submit"]).toBe(42);
      expect(told["stored"]).toEqual(["small", 200_000, 100_000]);
    });

    it("[COMMAND-8] fail with Python's traceback, and with the exit code of an interpreter that ended", () => {
      expect((told["failure"] as { message: string }).message).toContain("ValueError: no 7");
      // The lines are those of the program's file.
      expect(told["stack"]).toMatch(
        /^Traceback \(most recent call last\):\n {2}File "native_python\.py", line \d+, in fails\n[^]*in inner\n[^]*ValueError: no 7$/,
      );
      expect(told["exit"]).toEqual(
        expect.objectContaining({
          message: expect.stringContaining("Python ended with exit code 5") as string,
        }),
      );
      expect(told["unfit"]).toEqual(
        expect.objectContaining({
          message: expect.stringContaining("an instance of set is not a value") as string,
        }),
      );
      expect(told["refusal"]).toContain("on= names the Python");
    });

    it("[COMMAND-8] [REDUCE-4] reduce inputs", () => {
      expect(told["reduced"]).toBe(10);
      expect((told["failedInput"] as { message: string }).message).toContain("Input 0: ValueError: no 7");
    });

    it.skipIf(!hasNumpy)(`[COMMAND-8] have what is installed there${withoutNumpy}`, () => {
      expect(told["numpy"]).toEqual([10, -2, -2, -2]);
    });

    it("[COMMAND-8] come from files, of the SDK and of the command line", async () => {
      const file = join(platform.directory, "model.py");
      await writeFile(file, "import os\n\ndef cube(x):\n    return [x ** 3, os.getcwd() != '/']\n");
      const hands = await platform.connect();
      expect(await hands.map(functionOf(`${file}:cube`, { on: "python3" }), [2, 3])).toEqual([
        [8, true],
        [27, true],
      ]);
      const args = [launcher, "map", `${file}:cube`, "--on", "python3", "--range", "4:5", "--quiet"];
      const command = startNode(args, { env: platform.environment });
      await command.ended;
      expect(command.output() + command.log()).toContain('"output":[64,true]');
      await writeFile(file, "def square(x):\n    return x * x\n\ndef combine(a, b):\n    return a + b\n");
      const summing = [launcher, "map", `${file}:square`, "--on", "python3", "--combine", "--range", "0:9"];
      const sum = startNode(summing, { env: platform.environment });
      await sum.ended;
      expect(sum.output()).toBe("204\n");
    });
  },
);
