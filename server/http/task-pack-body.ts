import { PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import { plainBytes } from "../../shared/wire/plain-bytes.ts";
import type { Submitted } from "../../shared/wire/rest.ts";
import { readTaskPack } from "../../shared/wire/task-pack.ts";
import { readBody } from "./body.ts";
import type { Call } from "./context.ts";
import type { SubmitBatch } from "./submit-stream.ts";

/**
 * Takes the pack of tasks in a body to disk, all of it or nothing. The customer waits for the reply before it has many more
 * under way, so memory holds a few packs a customer.
 */
export async function takePack({ req, res }: Call, submit: SubmitBatch): Promise<Submitted> {
  if ((req.headers["content-encoding"] ?? "identity") !== "identity")
    throw new PlatformError("UNSUPPORTED_TYPE", "A pack of tasks cannot come compressed; send it as it is.");
  return submit(readTaskPack(plainBytes(await readBody(req, res, limits.bodyBytes))));
}
