import { access } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";

/**
 * Finds a stack that a STAR file names. In RELION names are relative to the project directory, where RELION runs; without one,
 * the file's own directory is tried, then the current one.
 *
 * @param warn - called when both directories have such a file
 * @throws RangeError when there is no such file, with the tried places
 */
export async function findStack(
  star: string,
  name: string,
  { project, warn }: { readonly project?: string | undefined; readonly warn: (warning: string) => void },
): Promise<string> {
  const places = project === undefined ? [dirname(star), "."] : [project];
  const tried = [...new Set(places.map((place) => resolve(place, name)))];
  const isThere = await Promise.all(
    tried.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  const found = tried.filter((_, i) => isThere[i]);
  if (found[0] === undefined)
    throw new RangeError(
      `${star}: no stack ${tried.join(" nor ")}; RELION names stacks from its project directory: give it with --project <directory>`,
    );
  if (found[1] !== undefined)
    warn(`${star}: ${found[0]} is read, not ${found[1]}; --project <directory> says which is meant`);
  return found[0];
}

/** The name of a stack in a STAR file of the directory `out`: relative to the project directory, else to `out` itself. */
export function stackName(stack: string, out: string, project: string | undefined): string {
  return relative(resolve(project ?? out), stack);
}
