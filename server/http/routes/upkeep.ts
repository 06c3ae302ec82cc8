import { PlatformError } from "../../../shared/errors.ts";
import { backupSchema, type BackupProgress, type ScrubProgress } from "../../../shared/wire/rest/upkeep.ts";
import { Followed } from "../../upkeep/progress.ts";
import { parseBody } from "../body.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import type { PushStreams } from "../push-streams.ts";

/** Verification and backup of the server's database and blobs. Each lasts as long as its request. */
export function upkeepRoutes(
  { upkeep }: HttpParts,
  streams: PushStreams,
): Routes<"POST /api/scrub" | "POST /api/backup"> {
  const needUpkeep = (): NonNullable<HttpParts["upkeep"]> => {
    if (upkeep) return upkeep;
    throw new PlatformError("WRONG_STATE", "This server keeps nothing on a disk of its own.");
  };
  return {
    "POST /api/scrub": async (call) => {
      const found = new Followed<ScrubProgress | undefined>(undefined);
      const follow = { signal: call.signal, onProgress: (progress: ScrubProgress) => found.set(progress) };
      await followWork(call, streams, found, () => needUpkeep().scrub(follow));
    },
    "POST /api/backup": async (call) => {
      const { directory } = await parseBody(call.req, call.res, backupSchema);
      const found = new Followed<BackupProgress | undefined>(undefined);
      const follow = { signal: call.signal, onProgress: (progress: BackupProgress) => found.set(progress) };
      await followWork(call, streams, found, () => needUpkeep().backUp(directory, follow));
    },
  };
}

/**
 * Pushes the progress of work until it has ended. A refusal before the first progress is that of the request; a later one ends the
 * reply with a line that has it as `failure`.
 */
async function followWork<Progress extends { readonly done: boolean }>(
  call: Call,
  streams: PushStreams,
  found: Followed<Progress | undefined>,
  start: () => Promise<Progress>,
): Promise<void> {
  let refusal: PlatformError | undefined;
  const work = start().then(
    (progress) => found.set(progress),
    (error: unknown) => {
      refusal = PlatformError.from(error);
      found.set(found.state);
    },
  );
  await Promise.race([work, found.changed(call.signal)]);
  if (refusal && !found.state) throw refusal;
  await streams.send(call, {
    read: () => {
      const { state } = found;
      if (refusal) return { json: JSON.stringify({ ...state, failure: refusal.toBody() }), isLast: true };
      return state && { json: JSON.stringify(state), isLast: state.done };
    },
    changed: (signal) => found.changed(signal),
  });
}
