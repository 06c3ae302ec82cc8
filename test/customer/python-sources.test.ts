import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { PythonRuntime } from "../../customer/python-kernel/runtime.ts";
import { readProgram } from "../../customer/python-kernel/sources.ts";
import { temporaryDirectory } from "../support/processes.ts";

async function folderOf(sources: Record<string, string>): Promise<string> {
  const folder = await temporaryDirectory();
  for (const [path, source] of Object.entries(sources)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), source);
  }
  return folder;
}

test("[PYTHON-2] a file brings the modules of its folder that it and they import, in every form of the statement", async () => {
  const folder = await folderOf({
    "main.py": [
      "import math, plain as other, package.inner",
      "from listed import (first,  # a comment, with a comma",
      "    second)",
      "def f():",
      "    from package import late; return late",
      "from long \\",
      "    import name",
    ].join("\n"),
    "plain.py": "",
    "listed.py": "first = second = 1",
    "long.py": "import main",
    "package/__init__.py": "from . import sibling",
    "package/inner.py": "from .deep.below import thing\nfrom ..outside import x",
    "package/late.py": "",
    "package/sibling.py": "",
    "package/deep/__init__.py": "",
    "package/deep/below.py": "from ... import unreachable\nfrom .. import cousin\nthing = 1",
    "package/cousin.py": "",
    "unused.py": "",
    "package/unused.py": "",
  });
  const { modules, module } = await readProgram(join(folder, "main.py"), "f");
  expect(module).toBe("main");
  expect(Object.keys(modules).sort()).toEqual([
    "listed.py",
    "long.py",
    "main.py",
    "package/__init__.py",
    "package/cousin.py",
    "package/deep/__init__.py",
    "package/deep/below.py",
    "package/inner.py",
    "package/late.py",
    "package/sibling.py",
    "plain.py",
  ]);
});

test("[PYTHON-2] a file of a package is imported by its name in the package", async () => {
  const folder = await folderOf({
    "outer/__init__.py": "",
    "outer/model.py": "from . import other",
    "outer/other.py": "",
    "model.py": "",
  });
  const { modules, module } = await readProgram(join(folder, "outer", "model.py"), "other");
  expect(module).toBe("outer.model");
  expect(Object.keys(modules).sort()).toEqual(["outer/__init__.py", "outer/model.py", "outer/other.py"]);
});

test("[PYTHON-2] files that cannot be read, imported by their name, or have no such function, are refused", async () => {
  const folder = await folderOf({
    "my-model.py": "",
    "model.py": "def score(x): return x",
    "all.py": "from math import *",
    "lazy.py": "def __getattr__(name): return len",
  });
  await expect(readProgram(join(folder, "model.py"), "scores")).rejects.toThrow(
    "model.py has no function scores",
  );
  for (const file of ["all.py", "lazy.py"])
    expect(await readProgram(join(folder, file), "sqrt")).toHaveProperty("module");
  await expect(readProgram(join(folder, "my-model.py"), "f")).rejects.toThrow("because of its name");
  await expect(readProgram(join(folder, "none.py"), "f")).rejects.toMatchObject({ code: "FILE_FAILED" });
});

test("[PYTHON-1] [PYTHON-4] the kernel depends on the sources alone, and names or holds the files of Python", async () => {
  const program = (modules: Record<string, string>) => ({
    modules,
    module: "a",
    function: "f",
    spread: false,
  });
  const one = await PythonRuntime.make(program({ "a.py": "import b", "b.py": "" }), false);
  const same = await PythonRuntime.make(program({ "b.py": "", "a.py": "import b" }), false);
  const whole = await PythonRuntime.make(program({ "a.py": "import b", "b.py": "" }), true);
  expect(same.source).toBe(one.source);
  expect(one.refs.map(({ path }) => basename(path!))).toEqual(["pyodide.asm.wasm", "python_stdlib.zip"]);
  for (const { sha256 } of one.refs) expect(one.source).toContain(sha256);
  expect(whole.refs).toEqual([]);
  expect(whole.source.length).toBeGreaterThan(12 * 1024 * 1024);
});
