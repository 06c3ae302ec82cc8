import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";
import { localKernel, localValues, portableDigests, portableKernel } from "../../contract/portable-values.ts";
import { root, temporaryDirectory } from "../../support/processes.ts";

/** Every Node of the machine that is on the PATH, by its version. */
const versions = new Map(
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "node"))
    .filter((path) => existsSync(path))
    .map((path) => [execFileSync(path, ["--version"], { encoding: "utf8" }).trim(), path]),
);

test.each([...versions])("[BITS-1] [BITS-3] Node %s computes the same bits", async (_version, node) => {
  const directory = await temporaryDirectory();
  const entry = join(directory, "entry.ts");
  const imported = (path: string): string => JSON.stringify(join(root, "shared", path));
  await writeFile(
    entry,
    `import { makePortable } from ${imported("client/sandbox/portable/make-portable.ts")};
     import { seededRandom } from ${imported("random.ts")};
     const write = process.stdout.write.bind(process.stdout);
     makePortable();
     const kernels = await Promise.all(process.argv.slice(2).map((path) => import(path)));
     const outputs = kernels.map((kernel) => kernel.default(null, { random: seededRandom("seed/0") }));
     write(JSON.stringify(outputs));`,
  );
  const build = await rolldown({ input: entry, platform: "node" });
  const program = join(directory, "program.mjs");
  await build.write({ file: program });
  await build.close();
  const kernels = [join(directory, "math.mjs"), join(directory, "local.mjs")] as const;
  await writeFile(kernels[0], portableKernel);
  await writeFile(kernels[1], localKernel);
  const output = execFileSync(node, [program, ...kernels], {
    encoding: "utf8",
    env: { TZ: "America/New_York", LANG: "de_DE.UTF-8" },
  });
  expect(JSON.parse(output)).toEqual([portableDigests, localValues]);
});
