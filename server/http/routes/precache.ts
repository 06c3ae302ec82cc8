import type { BlobName } from "../../../shared/data-reference.ts";
import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import { precacheItems } from "../../../shared/wire/precache.ts";
import { precacheSchema } from "../../../shared/wire/rest/precache.ts";
import { parseBody } from "../body.ts";
import type { Blobs, HttpParts, Routes } from "../context.ts";
import type { PushStreams } from "../push-streams.ts";
import type { BlobOwner } from "../../store/store.ts";
import { principalOf, visibleTo } from "../ownership.ts";
import { serversOf } from "../reply.ts";

/** Blobs looked up side by side: each may be a write, and writes of a moment share a commit. */
const lookedUpAtOnce = 64;

/** Data for clients before tasks need it. A precache lasts as long as its request, so customers need not end it. */
export function precacheRoutes(
  { platform, blobs }: HttpParts,
  streams: PushStreams,
): Routes<"POST /api/precache"> {
  return {
    "POST /api/precache": async (call) => {
      const principal = principalOf(call);
      const of = serversOf(call);
      // Another server asks with an administrator's token.
      const customer = of === "own" && principal.role === "admin" ? undefined : principal.name;
      const { refs, requires, atLeast, stay } = await parseBody(call.req, call.res, precacheSchema);
      const items = precacheItems(refs);
      const release = blobs.keep(items.map(({ sha256 }) => sha256));
      try {
        await checkAll(blobs, refs, visibleTo(principal));
        const precache = platform.precache({ customer, items, requires, atLeast }, of);
        try {
          await streams.send(call, {
            read: () => {
              const progress = precache.progress();
              return { json: JSON.stringify(progress), isLast: progress.done && !stay };
            },
            changed: (signal) => precache.changed(signal),
          });
        } finally {
          precache.end();
        }
      } finally {
        release();
      }
    },
  };
}

/** @param owner - the customer that has to have the blobs; undefined: any */
async function checkAll(
  blobs: Blobs,
  refs: readonly BlobName[],
  owner: BlobOwner | undefined,
): Promise<void> {
  const left = refs.values();
  const work = async (): Promise<void> => {
    for (const { sha256, size } of left) {
      const found = await blobs.stat(sha256, owner);
      if (!found)
        throw new PlatformError(
          "NOT_FOUND",
          `There is no blob ${sha256} here for clients to fetch; put it first.`,
          undefined,
          hints.blob,
        );
      if (found.size !== size)
        throw new PlatformError(
          "BAD_REQUEST",
          `Blob ${sha256} has ${found.size} bytes; a reference to it says ${size}.`,
        );
    }
  };
  await Promise.all(Array.from({ length: lookedUpAtOnce }, work));
}
