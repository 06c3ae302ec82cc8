import type { Access } from "./access.ts";

/** A caller that was found is believed for so long, unless anybody loses access meanwhile. */
const believedMs = 1000;

/**
 * Whether who was found at the beginning of something that lasts still has access; asked before each of its steps.
 *
 * @param find - looks the holder of a token up again; undefined when there is none any more
 */
export function watchAccess(
  access: Pick<Access, "generation">,
  find: () => Promise<unknown>,
): () => Promise<boolean> {
  let { generation } = access;
  let until = performance.now() + believedMs;
  return async () => {
    const now = performance.now();
    if (access.generation === generation && now < until) return true;
    const found = { generation: access.generation, until: now + believedMs };
    if ((await find()) === undefined) return false;
    ({ generation, until } = found);
    return true;
  };
}
