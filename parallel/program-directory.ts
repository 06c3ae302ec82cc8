import { basename } from "node:path";
import { isInUse } from "../server/store/sqlite/failure.ts";

/** Programs of one name that use one SCRATCH at the same time. */
const maxPrograms = 64;

/** What a program is called when it is given no name: as its file, without ending. */
export function programName(argv: readonly string[]): string {
  return basename(argv[1] ?? "program").replace(/\.[cm]?[jt]s$/, "");
}

/** The directory of a program, `<kind>-<program>`; of the second that runs under its name at the same time `…-2`. */
export function directoryName(kind: string, program: string, nth: number): string {
  const name = program.replaceAll(/[^\w.-]+/g, "_").slice(0, 80) || "program";
  return `${kind}-${name}${nth > 1 ? `-${nth}` : ""}`;
}

/** Opens the first directory of a program, from 1 on, that no other program is using. @throws what `open` throws */
export async function openFirstFree<T>(open: (nth: number) => Promise<T>): Promise<T> {
  for (let nth = 1; ; nth++) {
    try {
      return await open(nth);
    } catch (error) {
      if (!isInUse(error) || nth >= maxPrograms) throw error;
    }
  }
}
