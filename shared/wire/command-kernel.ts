import * as v from "valibot";
import { blobNameSchema } from "../data-reference.ts";
import { commandNameSchema } from "./command-name.ts";
import { commandLimits, commandPathSchema } from "./command.ts";

/** Bytes that travel in the kernel, or a blob that each task names. */
const contentSchema = v.union([v.strictObject({ base64: v.string() }), blobNameSchema]);

const argument = v.pipe(
  v.string(),
  v.maxLength(commandLimits.argChars),
  v.check((text) => !text.includes("\0"), "expected text without NUL"),
);
const pattern = v.pipe(v.string(), v.minLength(1), v.maxLength(commandLimits.patternChars));

/** A command as its kernel has it. */
export const commandKernelSchema = v.strictObject({
  command: commandNameSchema,
  args: v.optional(v.pipe(v.array(argument), v.maxLength(commandLimits.args)), () => []),
  /** A text with placeholders, or a content. */
  stdin: v.optional(v.union([v.string(), contentSchema]), ""),
  files: v.optional(v.record(commandPathSchema, contentSchema), () => ({})),
  /** Standard output as text or bytes, or the files whose paths match. */
  output: v.optional(
    v.union([
      v.picklist(["stdout", "bytes"]),
      v.strictObject({
        files: v.union([
          pattern,
          v.pipe(v.array(pattern), v.minLength(1), v.maxLength(commandLimits.patterns)),
        ]),
      }),
    ]),
    "stdout",
  ),
  /** Exit codes that are no failure. */
  exitCodes: v.optional(
    v.pipe(
      v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255))),
      v.minLength(1),
      v.maxLength(256),
    ),
    () => [0],
  ),
});
export type CommandKernel = v.InferOutput<typeof commandKernelSchema>;
