import * as v from "valibot";
import { blobNameSchema } from "../data-reference.ts";

/** Bounds on one call of a command. */
export const commandLimits = {
  args: 4096,
  argChars: 128 * 1024,
  files: 4096,
  pathChars: 1024,
  patterns: 64,
  patternChars: 255,
} as const;

/** Path of a file in the directory of a command: relative, with slashes, and without a way out. */
export const commandPathSchema = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(commandLimits.pathChars),
  v.check(isInside, "expected the path of a file below the command's directory, such as data/reads.fa"),
);

function isInside(path: string): boolean {
  return (
    !path.includes("\0") && path.split("/").every((part) => part !== "" && part !== "." && part !== "..")
  );
}

const bytesSchema = v.custom<Uint8Array>((value) => value instanceof Uint8Array, "expected bytes");

/** Content of a file: bytes, or a blob or a range of it. */
const contentSchema = v.union([
  bytesSchema,
  v.strictObject({
    ...blobNameSchema.entries,
    range: v.optional(v.tuple([v.pipe(v.number(), v.integer()), v.pipe(v.number(), v.integer())])),
  }),
]);
export type CommandContent = v.InferOutput<typeof contentSchema>;

const withoutNul = v.check((text: string) => !text.includes("\0"), "expected text without NUL");

/** A call of a command, as it leaves a sandbox. */
export const commandCallSchema = v.strictObject({
  args: v.pipe(
    v.array(v.pipe(v.string(), v.maxLength(commandLimits.argChars), withoutNul)),
    v.maxLength(commandLimits.args),
  ),
  stdin: v.optional(contentSchema),
  /** Files by path, which are there read-only. */
  files: v.pipe(
    v.record(commandPathSchema, contentSchema),
    v.check(
      (files) => Object.keys(files).length <= commandLimits.files,
      `expected at most ${commandLimits.files} files`,
    ),
  ),
  /** Patterns of the paths that are picked up at the end. */
  outputs: v.pipe(
    v.array(v.pipe(v.string(), v.maxLength(commandLimits.patternChars))),
    v.maxLength(commandLimits.patterns),
  ),
});
export type CommandCall = v.InferOutput<typeof commandCallSchema>;

/** The end of a command that ran. */
export interface CommandEnd {
  /** Exit code; undefined for a command that a signal ended. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: Uint8Array;
  /** Standard error; of a long one its start and end. */
  readonly stderr: string;
  /** Files that were picked up, ordered by path: small ones as bytes, others as blobs. */
  readonly files: Readonly<Record<string, Uint8Array | { readonly sha256: string; readonly size: number }>>;
  /** Paths of other files that the command left, the first of them. */
  readonly left: readonly string[];
}

/** The reply to a call: the end of the command, or data that could not be had. */
export type CommandReply = CommandEnd | { readonly missing: string };
