import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writePoseSample } from "../../examples/lib/sample.ts";
import { readMrc } from "../../science/mrc.ts";
import { readParticleStar } from "../../science/particle-star.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { root } from "../support/processes.ts";
import { readWithWarnings, scratchDirectory } from "./program-runs.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 2 });
});
afterAll(() => platform.close());

const cases = join(root, "test", "support", "data", "cases");
const references = join(cases, "references.mrcs");

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in a directory; a refusal is a result, not an error. */
async function run(cwd: string, name: string, ...flags: string[]): Promise<Run> {
  const options = { env: platform.environment, cwd };
  return promisify(execFile)(
    process.execPath,
    [join(root, "examples", `${name}.ts`), ...flags],
    options,
  ).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Run) => error,
  );
}

/** A directory with the particles and a changed table of them. */
async function table(name: string, change: (text: string) => string = (text) => text): Promise<string> {
  const directory = await scratchDirectory();
  await copyFile(join(cases, "particles.mrcs"), join(directory, "particles.mrcs"));
  const path = join(directory, `${name}.star`);
  await writeFile(path, change(await readFile(join(cases, `${name}.star`), "utf8")));
  return path;
}

/** Small searches, for tests that are not about searching. */
const small = ["--max-shift", "7", "--no-mirror"];

test("a good table is read without a word, and one that ends its groups with an unused one too", async () => {
  const good = await readWithWarnings(await table("ok"));
  expect(good).toMatchObject({ count: 32, box: 32, pixelSize: 7.08, warnings: [], leftOut: [] });
  const plain = await readWithWarnings(join(cases, "particles.mrcs"));
  expect(good.images).toEqual(plain.images);
  const two = await readWithWarnings(await table("two-optics-used-one"));
  expect(two).toMatchObject({ count: 32, pixelSize: 7.08, warnings: [] });
  expect(two.images).toEqual(plain.images);
});

describe("[STAR-1] shifts under their other names", () => {
  test("make the same map, bit for bit", async () => {
    const out = await scratchDirectory();
    const sample = await writePoseSample(join(out, "sample"), { particles: 60, box: 32, snr: 0.2 });
    const text = await readFile(join(cases, "origins-in-angstrom.star"), "utf8");
    // Half pixels have the same digits in both units.
    const round = (origins: (pixels: number) => string): string =>
      text.replace(/^(.*mrcs(?:\t\S+){3})\t(\S+)\t(\S+)/gm, (_, head: string, ...xy: string[]) =>
        [head, ...xy.slice(0, 2).map((value) => origins(Math.round((2 * Number(value)) / 7.08) / 2))].join(
          "\t",
        ),
      );
    const renamed = (name: string): string => name.replaceAll("Angst ", " ");
    const tables = {
      angstrom: round((pixels) => (pixels * 7.08).toFixed(6)),
      pixels: renamed(round((pixels) => pixels.toFixed(6))),
    };
    expect(tables.pixels).not.toContain("Angst");
    const maps = [];
    for (const [name, contents] of Object.entries(tables)) {
      const star = join(sample.particles, "..", `${name}.star`);
      await writeFile(star, contents);
      const flags = ["--iterations", "0", "--sym", "D2", "--out", join(out, name)];
      const { code, stderr, stdout } = await run(out, "reconstruct", star, ...flags);
      expect(code, stderr).toBe(0);
      expect(stdout).toMatch(/^60 particles, D2: /);
      if (name === "pixels")
        expect(stderr).toMatch(/beside data_optics are taken as pixels; RELION 3.1 ignores/);
      else expect(stderr).not.toContain("warning");
      maps.push(readMrc(await readFile(join(out, name, "map.mrc"))).data);
    }
    expect(maps[1]).toEqual(maps[0]);
  });

  test("are refused beside optics where they would cut particles off: Å under the name of pixels", async () => {
    const sixty = (text: string): string =>
      text.replaceAll(
        /^0000(\d\d)@/gm,
        (_, number: string) => `0000${String((Number(number) % 32) + 1).padStart(2, "0")}@`,
      );
    expect(await readWithWarnings(await table("origins-in-angstrom", sixty))).toMatchObject({
      count: 60,
      warnings: [],
    });
    await expect(readWithWarnings(await table("origins-in-pixels-with-optics", sixty))).rejects.toThrow(
      /data_particles, row 2: an origin of 10.8 pixels in images of 32, .*rename them _rlnOriginXAngst/,
    );
  });

  test("and a file of RELION 3.0 are read", async () => {
    const path = await table("relion30");
    const { count, pixelSize, warnings } = await readWithWarnings(path);
    expect([count, pixelSize, warnings]).toEqual([32, 3.55, []]);
    const unsaid = (text: string): string => text.replace("_rlnMagnification", "_rlnOther");
    await expect(readWithWarnings(await table("relion30", unsaid))).rejects.toThrow(
      /relion30.star: no pixel size .*--apix/,
    );
    expect(await readWithWarnings(await table("relion30", unsaid), { apix: 3.55 })).toMatchObject({
      pixelSize: 3.55,
    });
  });
});

test.each([
  ["duplicate-particles", /duplicate-particles.star: line \d+: a second block data_particles/],
  ["written-with-space-in-path", /written-with-space-in-path.star: line 32: .* must be in quotes/],
])("[STAR-3] %s is refused by every program", async (name, message) => {
  const path = await table(name);
  for (const [program, ...files] of [
    ["simmx", references, path],
    ["class-average", path],
    ["reconstruct", path],
  ] as const)
    expect(await run(join(path, ".."), program, ...files)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(message) as string,
    });
});

test("[STAR-2] the size and number of images in a table are compared with the images", async () => {
  const size = (text: string): string => text.replace("\t32\t2\n", "\t64\t2\n");
  await expect(readWithWarnings(await table("ok", size))).rejects.toThrow(
    /images of 64 pixels .*, and the stack has 32/,
  );
  const beyond = (text: string): string => text.replace("000002@", "000033@");
  await expect(readWithWarnings(await table("ok", beyond))).rejects.toThrow(
    /ok.star: row 2, _rlnImageName: image 33 .*; it has 32/,
  );
  const far = (text: string): string =>
    text.replace("000002@particles.mrcs\t0\t0\t0\t0\t0", "2@particles.mrcs\t0\t0\t0\t0\t120");
  await expect(readWithWarnings(await table("ok", far))).rejects.toThrow(/row 2: an origin of 16.9 pixels/);
  const nan = (text: string): string =>
    text.replace("000002@particles.mrcs\t0", "000002@particles.mrcs\tnan");
  await expect(readWithWarnings(await table("ok", nan))).rejects.toThrow(
    /ok.star: data_particles, row 2, _rlnAngleRot: "nan"/,
  );
});

describe("[STAR-4] written files", () => {
  test("names stacks in directories with blanks so that it is read again, and keeps columns and groups", async () => {
    const directory = join(await scratchDirectory(), "my data é");
    await mkdir(directory);
    await copyFile(join(cases, "particles.mrcs"), join(directory, "particles.mrcs"));
    const text = (await readFile(join(cases, "two-optics-used-one.star"), "utf8"))
      .replace("_rlnClassNumber #9", "_rlnClassNumber #9\n_rlnMicrographName #10\n_rlnDefocusU #11")
      .replaceAll(/^(\d+@.*)$/gm, "$1\t'a b.mrc'\t12345.6")
      .replaceAll("\t300\t2.700000\t", "\t200\t0.010000\t");
    await writeFile(join(directory, "in.star"), text);
    const { code, stderr, stdout } = await run(
      directory,
      "simmx",
      references,
      "in.star",
      ...small,
      "--out",
      "../out",
    );
    expect(code, stderr).toBe(0);
    const written = join(directory, "..", "out", "classes.star");
    const { tables, rows } = readParticleStar(await readFile(written, "utf8"));
    expect(tables.optics).toEqual(readParticleStar(text).tables.optics);
    expect(tables.particles.rows.every((row) => row.includes("a b.mrc") && row.includes("12345.6"))).toBe(
      true,
    );
    expect(rows[4]!.stack).toBe("../my data é/particles.mrcs");
    expect((await readWithWarnings(written)).images).toEqual(
      (await readWithWarnings(join(directory, "particles.mrcs"))).images,
    );
    expect(stdout).toMatch(
      /classes.star names stacks from ..\/out; for RELION, .* add --project <directory>/,
    );

    // [STAR-5]
    expect(stderr).toMatch(
      /^simmx: warning: .*contrast transfer function \(rlnDefocusU …\) is not corrected/m,
    );
    expect(stdout).toMatch(/^not corrected: the contrast transfer function of the particles$/m);

    const averaged = await run(
      directory,
      "class-average",
      written,
      "--iterations",
      "1",
      ...small,
      "--out",
      "../a",
    );
    expect(averaged, averaged.stderr).toMatchObject({ code: 0 });
    const aligned = readParticleStar(await readFile(join(directory, "..", "a", "aligned.star"), "utf8"));
    expect(aligned.tables.optics).toEqual(tables.optics);
    expect(aligned.tables.particles.columns).toEqual([...tables.particles.columns, "rlnSelected"]);
  });

  test("names stacks from the project directory, and reads them from there", async () => {
    const path = await table("ok");
    const project = join(path, "..");
    await mkdir(join(project, "Extract", "job1"), { recursive: true });
    const star = join(project, "Extract", "job1", "ok.star");
    await rename(path, star);
    const elsewhere = await scratchDirectory();
    const refused = await run(elsewhere, "simmx", references, star, ...small);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /ok.star: no stack .*job1\/particles.mrcs nor .*; .*--project <directory>/,
      ) as string,
    });
    const out = join(elsewhere, "out");
    const flags = [...small, "--project", project, "--out", out];
    const { code, stderr } = await run(elsewhere, "simmx", references, star, ...flags);
    expect(code, stderr).toBe(0);
    const written = readParticleStar(await readFile(join(out, "classes.star"), "utf8"));
    expect(written.rows[0]!.stack).toBe("particles.mrcs");
    expect((await readWithWarnings(join(out, "classes.star"), { project })).count).toBe(32);
  });

  test("a name that means one file beside the table and another from here is told", async () => {
    const [path, other] = [await table("ok"), await table("ok")];
    const { stderr } = await run(join(other, ".."), "reconstruct", path);
    const [read, not] = [path, other].map((star) => join(star, "..", "particles.mrcs"));
    expect(stderr).toContain(
      `${path}: ${read} is read, not ${not}; --project <directory> says which is meant`,
    );
  });
});

describe("[STAR-6] reconstruct without poses, or with options that have no effect", () => {
  test("is refused", async () => {
    const star = await table("ok");
    const here = join(star, "..");
    const stack = join(here, "particles.mrcs");
    for (const [flags, message] of [
      [
        [stack],
        /particles.mrcs: no poses: a stack has none; .*give a reference to find poses with \(--map\)/,
      ],
      [[stack, "--iterations", "0"], /no poses: a stack has none/],
      [[star], /no poses: all particles are seen from one direction \(rot 0, tilt 0\)/],
      [[star, "--iterations", "3"], /--iterations 3 needs a reference to begin with; give it with --map/],
      [
        [star, "--map", stack, "--iterations", "0"],
        /--map .* and --iterations 0 .*; one of the two was expected/,
      ],
      [[star, "--sample", "60"], /--sample 60, and .*ok.star; one of the two was expected/],
    ] as const) {
      const { code, stdout, stderr } = await run(here, "reconstruct", ...flags);
      expect([code, stdout, stderr]).toEqual([1, "", expect.stringMatching(message)]);
    }
    const half = await table("ok", (text) => text.replace("_rlnAngleTilt", "_rlnOther"));
    expect(await run(here, "reconstruct", half)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no poses: no column _rlnAngleTilt; give/) as string,
    });
  });
});
