import { basename } from "node:path";
import { isInUse } from "../server/store/sqlite/failure.ts";

/** Most programs of one name that use one SCRATCH at the same time. */
const maxPrograms = 64;

/** Name of a program that is given none: its file's, without ending. */
export function programName(argv: readonly string[]): string {
  return basename(argv[1] ?? "program").replace(/\.[cm]?[jt]s$/, "");
}

/** Name of a program's directory: `<kind>-<program>`, with `-2` for a second program of that name at the same time. */
export function directoryName(kind: string, program: string, nth: number): string {
  const name = program.replaceAll(/[^\w.-]+/g, "_").slice(0, 80) || "program";
  return `${kind}-${name}${nth > 1 ? `-${nth}` : ""}`;
}

/** Opens the program's first directory, from 1 on, that no other program uses. @throws errors of `open` */
export async function openFirstFree<T>(open: (nth: number) => Promise<T>): Promise<T> {
  for (let nth = 1; ; nth++) {
    try {
      return await open(nth);
    } catch (error) {
      if (!isInUse(error) || nth >= maxPrograms) throw error;
    }
  }
}
