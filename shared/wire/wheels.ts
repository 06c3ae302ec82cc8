import * as v from "valibot";
import { blobNameSchema } from "../data-reference.ts";

/** A wheel that a server has for functions in Python, as `GET /api/runtime/wheels` tells of it. */
export const wheelInfoSchema = v.object({
  /** Name of the file. */
  file: v.string(),
  name: v.string(),
  version: v.string(),
  /** Modules that it has, without those inside packages. */
  modules: v.array(v.string()),
  /** Packages that it requires. */
  requires: v.array(v.string()),
  ...blobNameSchema.entries,
});
export type WheelInfo = v.InferOutput<typeof wheelInfoSchema>;

/** The wheels with some modules, and those that these require as far as they are there. In the order of their files. */
export function wheelsWith<Wheel extends WheelInfo>(
  modules: Iterable<string>,
  wheels: readonly Wheel[],
): readonly Wheel[] {
  const taken = new Set<Wheel>();
  const take = (wheel: Wheel): void => {
    if (taken.has(wheel)) return;
    taken.add(wheel);
    for (const name of wheel.requires)
      newest(
        wheels.filter((other) => other.name === name),
        take,
      );
  };
  for (const module of modules)
    newest(
      wheels.filter((wheel) => wheel.modules.includes(module)),
      take,
    );
  return wheels.filter((wheel) => taken.has(wheel));
}

/** The newest of several versions of a package is taken. */
function newest<Wheel extends WheelInfo>(wheels: readonly Wheel[], take: (wheel: Wheel) => void): void {
  const last = wheels.toSorted((a, b) => a.version.localeCompare(b.version, "en", { numeric: true })).at(-1);
  if (last) take(last);
}
