import type { Access } from "./access.ts";

/** A found caller keeps access for this long without a new look-up, unless any principal loses access. */
const believedMs = 1000;

/**
 * Watches the access of a caller during a long request or connection: the returned check is called before each step.
 * @param find - looks the principal up again; undefined when access was lost
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
