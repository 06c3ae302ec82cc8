import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LivePlatform } from "../customer/live-platform.ts";
import { isLinux, unlessLinux } from "../support/skipped.ts";
import { allowedPython, printedBy, python, whySkipped } from "./programs.ts";

const eman2 = join(import.meta.dirname, "eman2");

/** EMAN2 itself is not installed for tests: two modules of a few lines stand in its place, for the program and on the client. */
describe.skipIf(python === undefined || !isLinux)(
  `programs of EMAN2's shape${whySkipped}${unlessLinux}`,
  () => {
    let platform: LivePlatform;
    let project: string;
    let told: Record<string, unknown>;
    beforeAll(async () => {
      platform = await LivePlatform.start({ slots: 0 });
      project = join(platform.directory, "project");
      await mkdir(project);
      const file = join(platform.directory, "commands.json");
      const { path, reads } = allowedPython();
      const env = { PYTHONPATH: eman2 };
      await writeFile(file, JSON.stringify({ eman2: { path, reads: [...reads, eman2, project], env } }));
      platform.startClient(2, ["--allow-commands", file]);
      const target = `--parallel=dc:127.0.0.1:${new URL(platform.url).port}`;
      const args = ["-m", "manyhands_eman2", join(eman2, "e2scale.py"), target, "--factor", "3"];
      told = await printedBy(args, platform.environment, { folders: [eman2], cwd: project });
    }, 120_000);
    afterAll(() => platform.close());

    it("[EMAN2-1] run with one import: other targets stay EMAN2's own", () => {
      expect(told).toMatchObject({ argv: "e2scale.py", other: "thread", cpus: 2 });
    });

    it("[EMAN2-2] get results of their own classes, small and large, of files by their cache tuples", () => {
      expect(told["results"]).toEqual([
        [true, true, [3, 6], "images.txt", 0],
        [true, true, [6, 9], "images.txt", 400_000],
        [true, true, [9, 12], "images.txt", 800_000],
      ]);
      // A list is read where it lies.
      expect(told["listed"]).toEqual(["places"]);
    });

    it("[EMAN2-3] know failed tasks from completed ones, and have them computed again", () => {
      expect(told["first"]).toEqual([100, 100, 100, -100]);
      // A program that does not know -100 would poll for ever.
      expect(told["states"]).toBeUndefined();
      expect(told["again"]).toContain("ValueError: no reference");
      const [message, stack] = told["error"] as [string, string];
      expect(message).toContain("ValueError: no reference");
      expect(stack).toMatch(/e2scale\.py", line \d+, in execute/);
      expect(told["rerun"]).toEqual([3]);
      expect(told["refusal"]).toContain("one of EMAN2's former databases");
    });
  },
);
