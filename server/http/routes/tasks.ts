import { PlatformError } from "../../../shared/errors.ts";
import { contentTypes } from "../../../shared/wire/rest/content-types.ts";
import type { JobInfo } from "../../../shared/wire/rest/jobs.ts";
import type { Submitted } from "../../../shared/wire/rest/submission.ts";
import { bodyType, parseJson, readBody } from "../body.ts";
import { bodyChunks } from "../body-chunks.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { splitLines, splitMessagePack, type Framing } from "../framing.ts";
import { jobOf } from "../ownership.ts";
import { flag, offerCompression, reply } from "../reply.ts";
import { TaskBatcher, type SubmitBatch } from "../submit-stream.ts";
import { inputWriter, lineReader, readTaskItem, taskFromJson, type TaskReader } from "../task-items.ts";
import { takePack } from "../task-pack-body.ts";

/** Submission of tasks: NDJSON or MessagePack as a stream of any length, one JSON array, or one pack. */
export function taskRoutes({ platform, blobs }: HttpParts): Routes<"POST /api/jobs/{id}/tasks"> {
  return {
    "POST /api/jobs/{id}/tasks": async (call) => {
      offerCompression(call);
      const job = await jobOf(call, platform);
      const close = flag(call, "close");
      const submitted = await takeTasks(call, job, blobs, (tasks) => platform.submit(job.id, tasks));
      if (close) await platform.closeJob(job.id);
      reply(call, submitted);
    },
  };
}

async function takeTasks(
  call: Call,
  { counts, customer }: JobInfo,
  blobs: HttpParts["blobs"],
  submit: SubmitBatch,
): Promise<Submitted> {
  const { taskPack, ndjson, msgpack, json } = contentTypes;
  const type = bodyType(call.req, [taskPack, ndjson, msgpack, json]);
  if (type === taskPack) return takePack(call, submit);
  const isLines = type === ndjson;
  const put = inputWriter(blobs, customer);
  const noun = isLines ? "Line" : "Item";
  const batcher = new TaskBatcher(submit, noun, counts.total);
  if (type === json) {
    const list = parseJson(await readBody(call.req, call.res), "body");
    if (!Array.isArray(list))
      throw new PlatformError("BAD_REQUEST", "The body is not a JSON array of {index?, input}.");
    await batcher.take(list as unknown[], taskFromJson(put, counts.total));
  } else if (isLines) await takeStream(call, splitLines, lineReader(put, counts.total), batcher);
  else await takeStream(call, splitMessagePack, readTaskItem, batcher);
  return batcher.finish();
}

/** Feeds the body to the batcher. The body is not read while a batch is on its way to disk, so TCP slows the sender down. */
async function takeStream(
  { req, res }: Call,
  framing: Framing,
  read: TaskReader,
  batcher: TaskBatcher,
): Promise<void> {
  // A customer may pause for an hour between two tasks. The server's idle timeout returns with the next request.
  res.setTimeout(0);
  const iterator = framing(bodyChunks(req))[Symbol.asyncIterator]();
  try {
    for (;;) {
      let next: IteratorResult<Uint8Array[]>;
      try {
        next = await iterator.next();
      } catch (error) {
        if (req.destroyed && !req.complete) throw error;
        throw await batcher.broken(error, batcher.position + 1);
      }
      if (next.done) return;
      await batcher.take(next.value, read);
    }
  } finally {
    await iterator.return?.();
  }
}
