import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { readMrcFile } from "../../science/mrc-file.ts";
import { pixelSizeOf, placementOf, voxelSize, writeMrc, type MrcMode } from "../../science/mrc.ts";

/** A Python with the module. The system's own Python may be hidden by another. */
const python = ["python3", "/usr/bin/python3"].find(
  (program) => spawnSync(program, ["-c", "import mrcfile"]).status === 0,
);
const suffix = skipped(python === undefined, "mrcfile is not installed; Debian: python3-mrcfile");

async function scratchFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-mrcfile-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "file.mrc");
}

function runPython(source: string, ...parameters: string[]): string {
  return execFileSync(python!, ["-c", source, ...parameters], { encoding: "utf8" });
}

const tell = `
import io, json, sys, mrcfile
valid = mrcfile.validate(sys.argv[1], print_file=io.StringIO())
with mrcfile.open(sys.argv[1]) as mrc:
    print(json.dumps({
        "valid": valid,
        "stack": bool(mrc.is_image_stack()),
        "shape": list(mrc.data.shape),
        "numbers": [float(value) for value in mrc.data.flatten()],
        "voxel": [float(mrc.voxel_size[axis]) for axis in "xyz"],
        "origin": [float(mrc.header.origin[axis]) for axis in "xyz"],
        "start": [int(mrc.header[name]) for name in ("nxstart", "nystart", "nzstart")],
    }))
`;

const make = `
import sys, numpy, mrcfile
numbers = numpy.arange(4 * 4 * 3).reshape(3, 4, 4) * 2 + 1
with mrcfile.new(sys.argv[1]) as mrc:
    mrc.set_data(numbers.astype(sys.argv[2]))
    if sys.argv[3] == "stack":
        mrc.set_image_stack()
    mrc.voxel_size = 1.25
    mrc.header.origin = (10, -20, 30)
    mrc.nstart = (1, 2, 3)
    mrc.update_header_stats()
`;
import { skipped } from "../support/skipped.ts";

describe.skipIf(python === undefined)(`mrcfile${suffix}`, () => {
  const numbers = Float32Array.from({ length: 48 }, (_, i) => 2 * i + 1);

  test.each([0, 1, 2, 6, 12] as MrcMode[])(
    "reads what is written in mode %i, and finds nothing wrong",
    async (mode) => {
      const path = await scratchFile();
      const placement = { start: [1, -2, 3], origin: [10, -20.5, 30] } as const;
      for (const stack of [false, true]) {
        const contents = { dimensions: [4, 4, 3], pixelSize: 1.25, mode, stack, placement } as const;
        await writeFile(path, writeMrc(numbers, contents));
        expect(JSON.parse(runPython(tell, path))).toEqual({
          valid: true,
          stack,
          shape: [3, 4, 4],
          numbers: [...numbers],
          voxel: [1.25, 1.25, 1.25],
          origin: placement.origin,
          start: placement.start,
        });
      }
    },
  );

  test.each(["int8", "int16", "float32", "uint16", "float16"])(
    "and what it writes as %s is read",
    async (type) => {
      for (const kind of ["stack", "volume"]) {
        const path = await scratchFile();
        runPython(make, path, type, kind);
        const { header, data } = await readMrcFile(path);
        expect(data).toEqual(numbers);
        expect(pixelSizeOf(header)).toBe(1.25);
        expect(voxelSize(header)).toEqual([1.25, 1.25, 1.25]);
        expect(placementOf(header)).toEqual({ start: [1, 2, 3], origin: [10, -20, 30] });
        expect(header.spaceGroup).toBe(kind === "stack" ? 0 : 1);
      }
    },
  );
});
