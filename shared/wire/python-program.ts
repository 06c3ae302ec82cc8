import * as v from "valibot";
import { blobNameSchema } from "../data-reference.ts";
import { limits } from "../limits.ts";
import { wheelFileSchema } from "../wheel.ts";

/** Most characters of all sources of a program together. */
export const pythonSourceChars = 4 * 1024 * 1024;
const maxModules = 1000;
const maxImports = 1000;
const maxWheels = 100;

const dotted = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;
const modulePath = /^(?:[A-Za-z_]\w*\/)*[A-Za-z_]\w*\.py$/;

const moduleName = v.pipe(v.string(), v.maxLength(255), v.regex(dotted, "expected the name of a module"));
const functionName = v.pipe(v.string(), v.maxLength(255), v.regex(dotted, "expected the name of a function"));

const blobWheelSchema = v.strictObject({ file: wheelFileSchema, ...blobNameSchema.entries });
const embeddedWheelSchema = v.strictObject({ file: wheelFileSchema, base64: v.pipe(v.string(), v.base64()) });
/** A wheel of a program: a blob, or its bytes. */
export type ProgramWheel = v.InferOutput<typeof blobWheelSchema> | v.InferOutput<typeof embeddedWheelSchema>;

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
  module: moduleName,
  function: functionName,
  /** Modules of packages that it may import: those that wheels of the server have come along. */
  imports: v.optional(
    v.pipe(
      v.array(
        v.pipe(v.string(), v.maxLength(255), v.regex(/^[A-Za-z_]\w*$/, "expected the name of a module")),
      ),
      v.maxLength(maxImports),
    ),
    [],
  ),
  /** Packages of pure Python that the customer gives: blobs, which each task names, or their bytes in base64. */
  wheels: v.optional(
    v.pipe(v.array(v.union([blobWheelSchema, embeddedWheelSchema])), v.maxLength(maxWheels)),
    [],
  ),
  /** Function that combines outputs, in a kernel of a reduction: its task's input is a list, and has one output. */
  combine: v.optional(
    v.strictObject({
      module: moduleName,
      function: functionName,
      /** Inputs of a task but the last, to each of which the function is applied; 0: the inputs are outputs already. */
      perTask: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(limits.maxTaskIndex)),
    }),
  ),
  /** Whether the task's input is the list of the function's arguments. */
  spread: v.optional(v.boolean(), false),
});
type Checked = v.InferOutput<typeof pythonProgramSchema>;
export type PythonProgram = Omit<Checked, "imports" | "wheels"> &
  Partial<Pick<Checked, "imports" | "wheels">>;

/** Function that combines outputs. */
export type PythonCombine = NonNullable<Checked["combine"]>;
