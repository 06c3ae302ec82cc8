import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LivePlatform } from "../customer/live-platform.ts";
import { makeWheel } from "../support/wheels.ts";
import { printedBy, python, whySkipped } from "./programs.ts";

let platform: LivePlatform;
let told: Record<string, unknown>;

describe.skipIf(python === undefined)(`Python functions as kernels${whySkipped}`, () => {
  beforeAll(async () => {
    platform = await LivePlatform.start({ slots: 1 });
    const folder = platform.directory;
    const served = await makeWheel(folder, "served-1.0-py3-none-any.whl", { "served.py": "LIST = [1, 2]" });
    const hands = await platform.connect();
    await hands.api.putWheel(basename(served), new Uint8Array(await readFile(served)));
    const sub = { "given/__init__.py": "", "given/sub.py": "X = 5" };
    const wheels = [
      await makeWheel(folder, "given-0.1-py3-none-any.whl", sub),
      await makeWheel(folder, "given-0.1-cp314-cp314-manylinux_2_28_x86_64.whl", sub),
    ];
    const program = join(import.meta.dirname, "python_kernels.py");
    told = await printedBy([program, ...wheels], platform.environment);
  }, 300_000);
  afterAll(() => platform.close());

  it("[PYTHON-2] a function brings the values, functions, classes and own modules that it uses", () => {
    const common = { names: { a: [1, 2.5], b: [null, true] }, isLess: true, join: "a/b", most: "a" };
    expect(told["everything"]).toEqual([
      { ...common, scaled: 3, length: 5, fibonacci: 1_548_008_755_920, area: 12.566 },
      { ...common, scaled: 6, length: 10, fibonacci: 1_548_008_755_920, area: 28.274 },
    ]);
    expect(told["lambda"]).toEqual([0, 3, 6]);
    expect(told["starmap"]).toEqual([1024, 9]);
    expect(told["submit"]).toBe(6);
  });

  it("[PYTHON-9] packages come along in wheels of the server and of the job", () => {
    expect(told["packaged"]).toEqual([
      [[[1, 2], 5]],
      [
        [[1, 2], 5],
        [[1, 2], 5],
      ],
    ]);
  });

  it("[PYTHON-9] a package without a wheel, and wheels that do not fit, are refused before a job is made", () => {
    expect(told["wheels"]).toEqual([
      expect.stringMatching(
        /uses_missing .* needs absent_package, .* server has no wheel of it; .*runtime add FILE/,
      ),
      expect.stringContaining("the kernel is none"),
      expect.stringContaining("slice of a blob"),
      expect.stringContaining("manylinux_2_28_x86_64.whl is for another Python"),
      expect.stringContaining("expected a file, which then travels in the kernel"),
    ]);
  });

  it("[PYTHON-2] what cannot travel is refused, and told why", () => {
    expect(told["refusals"]).toEqual([
      expect.stringContaining("uses_place cannot be a kernel: it uses PLACE, an instance of object"),
      expect.stringContaining("it uses undefined_name, which its module does not define"),
      expect.stringContaining("<lambda> uses outer of the function around it"),
      expect.stringContaining("it is a partial"),
      expect.stringContaining("join"),
      expect.stringContaining("Point"),
    ]);
  });

  it("[PYTHON-5] randomness, clocks and sets are the task's own", () => {
    const [first, second] = told["sameBits"] as number[][];
    expect(first!.slice(3)).toEqual([0.479425538604203, expect.any(Array), 0]);
    expect(first![0]).not.toBe(second![0]);
    expect(first![2]).toBe(second![2]);
    expect(first![4]).toEqual(second![4]);
  });

  it("[PYTHON-7] references are read by await, or come as their bytes", () => {
    expect(told["reads"]).toEqual([[2, 3], [2, 3, 2, 3], true]);
    expect(told["readsPlainly"]).toEqual({ sum: 10, kind: "bytes" });
  });

  it("[PYTHON-4] a job that takes the outputs of another has Python in its kernel", () => {
    expect(told["fed"]).toEqual([20, 30]);
  });

  it("[REDUCE-1] [REDUCE-2] [REDUCE-4] functions in Python reduce inputs, in the order and groups of JavaScript's", () => {
    expect(told["reduced"]).toEqual([
      true,
      "int".repeat(8),
      "01234567",
      "(((0 1) (2 3)) ((4 5) (6 7)))",
      ["error", "Input 4: ValueError: it fails"],
      ["unserialisable", expect.stringContaining("Input 4: an instance of set is not a value")],
      expect.stringContaining("Nothing says how the outputs are combined"),
      expect.stringContaining("one is a function in Python and the other is none"),
    ]);
  });

  it("[PYTHON-6] the traceback of Python is the stack of the failure, with the lines of the file", () => {
    const [kind, message, stack] = told["failure"] as string[];
    expect([kind, message]).toEqual(["error", "ValueError: no 1"]);
    expect(stack).toContain('File "python_kernels.py", line 69, in deeper\n    raise ValueError(f"no {x}")');
    expect(stack).not.toContain("_manyhands_runner");
  });
});
