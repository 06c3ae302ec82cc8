import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { checkFits, readWheel } from "../shared/wheel.ts";
import { wheelsWith, type WheelInfo } from "../shared/wire/wheels.ts";
import { temporaryDirectory } from "./support/processes.ts";
import { makeWheel } from "./support/wheels.ts";

const build = { python: "3.14.2", abi: "2026_0" };

test("[PYTHON-9] a wheel says which modules it has, and what it requires", async () => {
  const files = {
    "Some_Package/__init__.py": "",
    "space/inner.py": "",
    "single.py": "",
    "quick.cpython-314-wasm32-emscripten.so": "",
    "Some_Package.libs/x.so": "",
    "docs/readme.txt": "",
  };
  const requires = ["numpy (>=1.2)", 'PIL.low ; extra == "pictures"', 'Tz_Data>=2 ; sys_platform != "win32"'];
  const file = "Some_Package-1.2.3-1-py3-none-any.whl";
  const path = await makeWheel(await temporaryDirectory(), file, files, requires);
  expect(readWheel(file, await readFile(path))).toEqual({
    file,
    name: "some-package",
    version: "1.2.3",
    modules: ["Some_Package", "quick", "single", "space"],
    requires: ["numpy", "tz-data"],
  });
});

test("[PYTHON-9] what is no wheel is refused, and what was expected", async () => {
  const folder = await temporaryDirectory();
  const wheel = await readFile(await makeWheel(folder, "a-1-py3-none-any.whl", { "a.py": "x" }));
  expect(() => readWheel("a.zip", wheel)).toThrow("has no name of a wheel");
  expect(() => readWheel("a-1-py3-none-any.whl", wheel.subarray(0, -40))).toThrow("as a zip archive");
  expect(() => readWheel("a-1-py3-none-any.whl", Buffer.from("no archive"))).toThrow("as a zip archive");
  // An archive of nothing.
  const empty = Buffer.from("504b0506" + "00".repeat(18), "hex");
  expect(() => readWheel("a-1-py3-none-any.whl", empty)).toThrow("has no METADATA");
});

test.each([
  ["a-1-py3-none-any.whl", true],
  ["a-1-py2.py3-none-any.whl", true],
  ["a-1-py310-none-any.whl", true],
  ["a-1-cp314-cp314-pyemscripten_2026_0_wasm32.whl", true],
  ["a-1-cp310-abi3-pyemscripten_2026_0_wasm32.whl", true],
  ["a-1-py2-none-any.whl", false],
  ["a-1-py315-none-any.whl", false],
  ["a-1-cp313-cp313-pyemscripten_2026_0_wasm32.whl", false],
  ["a-1-cp314-cp314-pyodide_2025_0_wasm32.whl", false],
  ["a-1-cp314-cp314-manylinux_2_28_x86_64.whl", false],
  ["a-1-cp315-abi3-pyemscripten_2026_0_wasm32.whl", false],
])("[PYTHON-9] whether %s is for Pyodide's Python: %s", (file, fits) => {
  const check = (): void => checkFits(file, build);
  if (fits) expect(check).not.toThrow();
  else expect(check).toThrow("cp314-cp314-pyemscripten_2026_0_wasm32.whl)");
});

test("[PYTHON-9] imports bring wheels, with what these require, of the newest versions", () => {
  const wheel = (name: string, version: string, requires: string[] = []): WheelInfo => ({
    file: `${name}-${version}-py3-none-any.whl`,
    name,
    version,
    modules: [name],
    requires,
    sha256: "0".repeat(64) as WheelInfo["sha256"],
    size: 1,
  });
  const all = [
    wheel("a", "1.9", ["b", "none"]),
    wheel("a", "1.10", ["b", "none"]),
    wheel("b", "1", ["a", "c"]),
    wheel("c", "1"),
    wheel("d", "1"),
  ];
  expect(wheelsWith(["a", "math"], all).map(({ file }) => file.slice(0, 6))).toEqual([
    "a-1.10",
    "b-1-py",
    "c-1-py",
  ]);
  expect(wheelsWith(["math"], all)).toEqual([]);
});
