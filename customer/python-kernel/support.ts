import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PythonProgram } from "../../shared/wire/python-program.ts";
import { packageRoot } from "../../system/package-root.ts";
import type { FunctionDefinition } from "./definition.ts";

/** The Python module for customers, or that beside it for programs of EMAN2. */
export function pythonModule(name: "manyhands" | "manyhands_eman2" = "manyhands"): Promise<string> {
  return readFile(join(packageRoot, "python", `${name}.py`), "utf8");
}

/** A function with its modules in order, so that the same ones give the same kernel. */
export function functionOf({
  modules,
  module,
  function: name,
  spread,
  combine,
}: PythonProgram): FunctionDefinition["program"] {
  const sorted = Object.entries(modules).sort(([a], [b]) => (a < b ? -1 : 1));
  return { modules: Object.fromEntries(sorted), module, function: name, spread, ...(combine && { combine }) };
}

/** Modules around a function: those that each has, and a file of this folder under a name. */
export async function supportWith(name: string, file: string): Promise<FunctionDefinition["support"]> {
  const read = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), "utf8");
  const [manyhands, calls, own] = await Promise.all([pythonModule(), read("./calls.py"), read(file)]);
  return { manyhands: valuesOf(manyhands), _manyhands_calls: calls, [name]: own };
}

/** The part of manyhands.py about errors and values, for the Python of a kernel. */
function valuesOf(module: string): string {
  const sections = module.split(/^# -{100,}\n(?=# )/m);
  const section = (title: string): string => {
    const found = sections.find((text) => text.startsWith(`# ${title}\n`));
    if (found === undefined) throw new Error(`python/manyhands.py has no section "${title}".`);
    return found;
  };
  return `from __future__ import annotations

import functools
import math
import re
import struct
import sys
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

${section("Errors")}
${section("Values")}`;
}
