import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { moduleOfFunction } from "../../customer/kernel/function-source.ts";
import { combiningSource, foldingSource } from "../../customer/kernel/reducing.ts";
import { program } from "../../customer/kernel/program.ts";
import { preview1 } from "../../customer/wasi/preview1.ts";
import { PlatformError, type ErrorCode } from "../../shared/errors.ts";
import { decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import { valueToJson } from "../../shared/wire/value-json.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { compilesWasi, compileWasi } from "../support/compile-wasi.ts";
import { launcher, root, startNode } from "../support/processes.ts";
import { valueRows } from "../support/value-rows.ts";
import { canInstall, python, whySkipped, PythonProgram, pythonFolder } from "./programs.ts";
import { skipped } from "../support/skipped.ts";

/** Longest run of one of the module's own tests. */
const timeout = 300_000;

const testNames = (await readdir(join(pythonFolder, "tests"))).filter((name) => name.startsWith("test_"));
/** The module's own tests, by file and by the first line, which names the rules. */
const suites = await Promise.all(
  testNames.map(async (name) => {
    const text = await readFile(join(pythonFolder, "tests", name), "utf8");
    return [name.replace(/\.py$/, ""), text.slice(0, text.indexOf("\n")).replaceAll('"', "")] as const;
  }),
);

const examples = (await readdir(join(pythonFolder, "examples"))).filter((name) => name.endsWith(".py"));

/** Rows of the table of values as the SDK encodes them; each kind of typed array is a row of its own. */
function vectors(): object[] {
  const rows = valueRows.flatMap(([name, value]): [string, Value][] =>
    name === "typed arrays"
      ? (value as Value[]).map((array) => [
          `${name}: ${Object.getPrototypeOf(array).constructor.name}`,
          array,
        ])
      : [[name, value]],
  );
  return rows.map(([name, value]) => ({
    name,
    hex: Buffer.from(encodeValue(value)).toString("hex"),
    json: valueToJson(value),
  }));
}

describe.skipIf(python === undefined)(`the Python module${whySkipped}`, () => {
  let platform: LivePlatform;
  let folder: string;
  let environment: NodeJS.ProcessEnv;
  let probe: string;
  beforeAll(async () => {
    platform = await LivePlatform.start();
    folder = await mkdtemp(join(tmpdir(), "manyhands-python-"));
    const file = join(folder, "vectors.json");
    await writeFile(file, JSON.stringify(vectors()));
    environment = { ...platform.environment, MANYHANDS_VECTORS: file };
    if (compilesWasi) {
      probe = compileWasi(join(root, "test", "support", "programs", "probe.c"), folder);
      environment["MANYHANDS_PROBE"] = probe;
    }
  });
  afterAll(async () => {
    await platform.close();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(suites)("passes its own %s: %s", { timeout }, async (suite) => {
    const tests = new PythonProgram(["-m", "unittest", "-v", `tests.${suite}`], environment);
    expect(await tests.ended(), tests.log).toBe(0);
    expect(tests.log).toMatch(/^Ran [1-9]\d* tests?/m);
  });

  it("[PY-2] reads and writes values without NumPy, too", { timeout }, async () => {
    const variables = { ...environment, MANYHANDS_TEST_NO_NUMPY: "1" };
    const tests = new PythonProgram(["-m", "unittest", "tests.test_values", "tests.test_map"], variables);
    expect(await tests.ended(), tests.log).toBe(0);
    expect(tests.log).toMatch(/^Ran [1-9]\d* tests?[^]*OK/m);
  });

  it("[PY-3] [SDK-2] makes the SDK's module of a kernel of several arguments", async () => {
    const kernel = (a: number, b: number): string => `${a + b} as default`;
    const program =
      "import manyhands as m, sys; print(m._with_arguments(m._kernel_of(sys.argv[1])[0]), end='')";
    const made = await new PythonProgram(["-c", program, kernel.toString()], environment).ends();
    expect(made).toBe(moduleOfFunction(kernel, true));
  });

  it("[PY-3] [REDUCE-3] makes the SDK's modules of a reduction", async () => {
    const kernel = (x: number): number => x + 1;
    const combine = (a: number, b: number): number => a + b;
    const program = `import manyhands as m, sys
kernel, combine = sys.argv[1:]
print(m._folding_source(kernel, combine, 7, None), m._combining_source(combine, kernel, None), sep="|", end="")`;
    const made = await new PythonProgram(
      ["-c", program, kernel.toString(), combine.toString()],
      environment,
    ).ends();
    expect(made).toBe(`${await foldingSource(kernel, combine, 7)}|${await combiningSource(combine, kernel)}`);
  });

  it("[PY-5] [WASI-5] knows the functions that programs may import", async () => {
    const names = await new PythonProgram(
      ["-c", "import manyhands; print(*sorted(manyhands._WASI_CALLS))"],
      environment,
    ).ends();
    expect(names.split(/\s/).filter(Boolean)).toEqual(Object.keys(preview1({} as never)).toSorted());
  });

  it.skipIf(!compilesWasi)("[PY-3] [WASI-1] makes the SDK's kernel of the same program", async () => {
    const large = join(folder, "large");
    await writeFile(large, Buffer.alloc(2 * 1024 * 1024, "x"));
    const hands = await platform.connect();
    const kernel = program(probe, {
      args: ["cat", 'a\u2028\u0001"\\ü😀', "{input}"],
      env: { Z: "1", A: "{input}" },
      stdin: new Uint8Array([1, 2]),
      files: { "b/large": large, a: new Uint8Array([3]) },
      output: { files: ["*.tree", "x"] },
      exitCodes: [0, 7],
      time: new Date("2026-01-02T03:04:05.678Z"),
    });
    const combine = (a: string, b: string): string => `${a} ** ${b}`;
    const told = `import datetime, manyhands, sys
probe, large, combine = sys.argv[1:]
kernel = manyhands.program(probe, args=["cat", "a\u2028\\x01\\"\\\\ü😀", "{input}"], env={"Z": "1", "A": "{input}"},
    stdin=bytes([1, 2]), files={"b/large": large, "a": bytes([3])}, output={"files": ["*.tree", "x"]}, exit_codes=[0, 7],
    time=datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, datetime.timezone.utc))
never = {"requires": {"memoryMb": 60_000}, "memory_mb": 100}
with manyhands.connect() as hands:
    jobs = [hands.map(kernel, [0], **never), hands.reduce(kernel, [0], combine=combine, **never)._first]
    print(*(job.status()["kernel"]["sha256"] for job in jobs))
    for job in jobs: job.cancel()`;
    const args = ["-c", told, probe, large, combine.toString()];
    const made = (await new PythonProgram(args, environment).ends()).trim().split(" ");
    const never = { requires: { memoryMb: 60_000 }, memoryMb: 100 };
    const job = hands.map(kernel, ["0"], never);
    const reduction = hands.reduce(kernel, ["0"], { ...never, combine: combine as never });
    const first = await hands.job((await reduction.jobIds())[0]!).status();
    expect(made).toEqual([(await job.status()).kernel.sha256, first.kernel.sha256]);
    await Promise.all([job.cancel(), reduction.cancel()]);
  });

  it("[PY-2] writes any value in the bytes of the SDK", async () => {
    const seed = process.env["MANYHANDS_SEED"] ?? `${Math.floor(Math.random() * 2 ** 32)}`;
    const program = new PythonProgram(
      [join(import.meta.dirname, "random_values.py"), seed, "3000"],
      environment,
    );
    const lines = (await program.ends()).trim().split("\n");
    expect(lines).toHaveLength(3000);
    for (const hex of lines) {
      const again = Buffer.from(encodeValue(decodeValue(Buffer.from(hex, "hex")))).toString("hex");
      expect(again, `seed ${seed}`).toBe(hex);
    }
  });

  it.each(examples)("runs the example %s", { timeout }, async (name) => {
    const program = new PythonProgram([join("examples", name)], environment);
    expect((await program.ends()).trim()).not.toBe("");
  });

  it.each([
    ["docs/python.md", 3],
    ["python/README.md", 1],
  ])("runs the programs of %s", { timeout }, async (file, count) => {
    const text = await readFile(join(root, file), "utf8");
    const blocks = [...text.matchAll(/^```python\n([^]*?)^```/gm)].map(([, block = ""]) => block);
    const programs = blocks.filter((block) => /^(?:import|with) manyhands/.test(block));
    expect(programs).toHaveLength(count);
    // Functions in Python have their source in a file.
    const path = join(folder, "documented.py");
    for (const program of programs) {
      await writeFile(path, `import manyhands\n${program}`);
      await new PythonProgram([path], environment).ends();
    }
  });

  it("[PY-5] runs kernels that `manyhands bundle` made of TypeScript and its imports", async () => {
    await writeFile(join(folder, "factor.ts"), "export const factor: number = 3;\n");
    const kernel = 'import { factor } from "./factor.ts";\nexport default (x: number) => x * factor;\n';
    await writeFile(join(folder, "triple.ts"), kernel);
    const bundling = startNode([launcher, "bundle", join(folder, "triple.ts")], { env: environment });
    expect(await bundling.ended, bundling.log()).toBe(0);
    const bundled = join(folder, "triple.js");
    await writeFile(bundled, bundling.output());
    const program = "import sys, manyhands; print(manyhands.connect().map(sys.argv[1], [1, 2]).gather())";
    expect(await new PythonProgram(["-c", program, bundled], environment).ends()).toBe("[3, 6]\n");

    const written = startNode([launcher, "bundle", join(folder, "triple.ts"), "--out", join(folder, "b.js")]);
    expect(await written.ended, written.log()).toBe(0);
    expect((await readFile(join(folder, "b.js"), "utf8")).trim()).toBe(bundling.output().trim());
  });

  it.skipIf(!canInstall)(
    `[PY-1] is installed by pip without a network${skipped(!canInstall, "setuptools or venv is missing")}`,
    async () => {
      const [copy, venv] = [join(folder, "copy"), join(folder, "venv")];
      await mkdir(copy);
      for (const name of ["manyhands.py", "manyhands_eman2.py", "pyproject.toml", "README.md"])
        await copyFile(join(pythonFolder, name), join(copy, name));
      await new PythonProgram(["-m", "venv", "--system-site-packages", venv], environment).ends();
      const own = { folder: venv, command: join(venv, "bin", "python") };
      const flags = ["--no-index", "--no-build-isolation", "--quiet"];
      await new PythonProgram(["-m", "pip", "install", ...flags, copy], environment, own).ends();
      const program =
        "import manyhands; print(manyhands.__file__, manyhands.connect().map('x => -x', [1]).gather())";
      const output = await new PythonProgram(["-c", program], environment, own).ends();
      expect(output).toMatch(/site-packages\/manyhands\.py \[-1\]\n$/);
    },
  );

  it("[PY-1] is served as it is, and runs where it was copied", async () => {
    const address = new URL("manyhands.py", `${platform.url}/`);
    const response = await fetch(address);
    expect(response.headers.get("content-type")).toMatch(/^text\/x-python/);
    await writeFile(join(folder, "manyhands.py"), await response.text());
    const program = "import manyhands; print(manyhands.connect().map('x => x + 1', [1]).gather())";
    const run = new PythonProgram(
      ["-I", "-c", `import sys; sys.path.insert(0, ${JSON.stringify(folder)})\n${program}`],
      environment,
    );
    expect(await run.ends()).toBe("[2]\n");

    // Without a directive of its own, fetch asks for no cached reply.
    const headers = { "if-none-match": response.headers.get("etag")!, "cache-control": "max-age=0" };
    expect((await fetch(address, { headers })).status).toBe(304);
  });

  it("[ERR-1] has the remedies of the closed table", async () => {
    const program = "import json, manyhands; print(json.dumps(manyhands._TABLE))";
    const table = JSON.parse(await new PythonProgram(["-c", program], environment).ends()) as object;
    const rows = Object.keys(table).map((code) => {
      const { retryable, remedy } = new PlatformError(code as ErrorCode, "");
      return [code, [retryable, remedy]];
    });
    expect(rows.length).toBeGreaterThan(15);
    expect(table).toEqual(Object.fromEntries(rows));
  });
});
