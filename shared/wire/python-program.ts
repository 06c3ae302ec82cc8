import * as v from "valibot";

/** Most characters of all sources of a program together. */
export const pythonSourceChars = 4 * 1024 * 1024;
const maxModules = 1000;

const dotted = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;
const modulePath = /^(?:[A-Za-z_]\w*\/)*[A-Za-z_]\w*\.py$/;

/** A function in Python, with the modules that it needs beside the standard library. */
export const pythonProgramSchema = v.strictObject({
  /** Sources by path, such as `model/__init__.py`. */
  modules: v.pipe(
    v.record(
      v.pipe(v.string(), v.maxLength(255), v.regex(modulePath, "expected a path such as model/fit.py")),
      v.string(),
    ),
    v.check((modules) => Object.keys(modules).length <= maxModules, `expected at most ${maxModules} modules`),
    v.check(
      (modules) =>
        Object.values(modules).reduce((sum, source) => sum + source.length, 0) <= pythonSourceChars,
      `expected at most ${pythonSourceChars} characters of sources`,
    ),
  ),
  /** Name of the module with the function. */
  module: v.pipe(v.string(), v.maxLength(255), v.regex(dotted, "expected the name of a module")),
  function: v.pipe(v.string(), v.maxLength(255), v.regex(dotted, "expected the name of a function")),
  /** Whether the task's input is the list of the function's arguments. */
  spread: v.optional(v.boolean(), false),
});
export type PythonProgram = v.InferOutput<typeof pythonProgramSchema>;
