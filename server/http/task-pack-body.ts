import { limits } from "../../shared/limits.ts";
import { plainBytes } from "../../shared/wire/plain-bytes.ts";
import type { Submitted } from "../../shared/wire/rest/submission.ts";
import { readTaskPack } from "../../shared/wire/task-pack.ts";
import { readBody } from "./body.ts";
import type { Call } from "./context.ts";
import type { SubmitBatch } from "./submit-stream.ts";

/**
 * Writes a body's pack of tasks to disk, completely or not at all. A customer sends few packs before it waits for a reply, so
 * memory holds few packs of each.
 */
export async function takePack({ req, res }: Call, submit: SubmitBatch): Promise<Submitted> {
  return submit(readTaskPack(plainBytes(await readBody(req, res, limits.bodyBytes))));
}
