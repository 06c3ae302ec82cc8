import { matches } from "../../shared/path-pattern.ts";

/** Result of a task: standard output as text or bytes, or files by pattern. */
export type ProgramOutput = "stdout" | "bytes" | { readonly files: string | readonly string[] };

/** Patterns of the files that an output consists of. */
export function patternsOf(output: ProgramOutput): readonly string[] {
  return typeof output === "string" ? [] : [output.files].flat();
}

/** @throws Error when no file matches one of the patterns, with the files that are there, and what the program said */
export function checkMatches(
  name: string,
  patterns: readonly string[],
  { found, left, errors }: { found: readonly string[]; left: readonly string[]; errors: string },
): void {
  const missing = patterns.find((pattern) => !found.some((path) => matches(path, pattern)));
  if (missing !== undefined)
    throw new Error(
      `${name} left no file ${missing}. Its files are ${left.slice(0, 20).join(", ") || "none"}. ${saidIn(errors)}`,
    );
}

/** Standard error as a part of a message. */
export function saidIn(errors: string): string {
  const said = errors.trim();
  return said === "" ? "It wrote nothing to standard error." : `Standard error:\n${said}`;
}
