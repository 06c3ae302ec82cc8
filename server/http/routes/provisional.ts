import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import { limits } from "../../../shared/limits.ts";
import { hasEnded } from "../../../shared/wire/rest/job-state.ts";
import type { FollowedProvisional } from "../../../shared/wire/rest/results.ts";
import type { ProvisionalChange, ProvisionalFollower } from "../../platform.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { ItemWriter } from "../item-writer.ts";
import type { ReadingTurns } from "../reading-turns.ts";
import { jobOf } from "../ownership.ts";
import { replyBody } from "../reply-body.ts";
import { afterOf, beginStream, flag } from "../reply.ts";
import { ndjsonResults, provisionalItem } from "../result-items.ts";

/** Provisional results are read afresh at most this often: other servers tell that there are changes, and not which. */
const afreshMs = 1_000;
/** Reading takes at most this part of the time, unless it takes seconds. */
const readingShare = 1 / 5;
const longestPauseMs = 5_000;

type Platform = HttpParts["platform"];

/** A reply with provisional results of a job. */
interface Reading {
  readonly call: Call;
  readonly platform: Platform;
  readonly id: JobId;
  /** Only results of tasks with a greater index are shown. */
  readonly start: number;
  readonly writer: ItemWriter;
  readonly turns: ReadingTurns;
}

/** Provisional results of a job, page by page in the order of the inputs, and with `follow` as they change, at the reader's pace. */
export function provisionalRoutes(
  { platform, blobs, log }: HttpParts,
  turns: ReadingTurns,
): Routes<"GET /api/jobs/{id}/provisional"> {
  return {
    "GET /api/jobs/{id}/provisional": async (call) => {
      const { id } = await jobOf(call, platform);
      const start = afterOf(call) ?? -1;
      const isFollowed = flag(call, "follow");
      const { req, res, signal } = call;
      const body = replyBody(req, res, signal);
      beginStream(call, ndjsonResults.contentType);
      const writer = new ItemWriter(body, ndjsonResults, signal, blobs, turns);
      const reading = { call, platform, id, start, writer, turns };
      const leave = turns.join();
      try {
        if (isFollowed) await follow(reading);
        else await writePresent(reading);
        await writer.close();
      } catch (error) {
        if (!signal.aborted) throw error;
        log.debug({ job: id }, "reader of provisional results went away");
      } finally {
        leave();
      }
      body.end();
    },
  };
}

async function writePresent({ call, platform, id, start, writer, turns }: Reading): Promise<void> {
  let after = start;
  while (!call.signal.aborted) {
    await refuseRevoked(call);
    await turns.next();
    const page = await platform.provisionalResults(id, after, turns.share);
    const last = page.at(-1);
    if (!last) break;
    for (const result of page) {
      const full = writer.write(provisionalItem(result));
      if (full) await full;
    }
    after = last.index;
  }
}

async function follow(reading: Reading): Promise<void> {
  const { call, platform, id, writer } = reading;
  const follower = platform.followProvisional(id);
  try {
    while (!call.signal.aborted) {
      const begunAt = performance.now();
      follower.begin();
      const { lastSeq: seq } = await platform.job(id);
      await writer.write(line({ state: "snapshot", seq }));
      await writePresent(reading);
      await writer.write(line({ state: "current", seq }));
      const tookMs = performance.now() - begunAt;
      if (await writeChanges(reading, follower)) return;
      const pauseMs = Math.min(longestPauseMs, Math.max(afreshMs, tookMs / readingShare));
      const leftMs = begunAt + tookMs + pauseMs - performance.now();
      if (leftMs > 0) await sleep(leftMs, undefined, { signal: call.signal, ref: false });
    }
  } finally {
    follower.close();
  }
}

/** Writes changes until the job has ended. @returns false when the reader has missed changes */
async function writeChanges(reading: Reading, follower: ProvisionalFollower): Promise<boolean> {
  const { call, platform, id, writer } = reading;
  const { signal } = call;
  let isNews = true;
  while (!signal.aborted) {
    await refuseRevoked(call);
    // The state is read first: the changes before the end are among those that are taken then.
    const { state } = await platform.progress(id);
    const news = follower.take();
    if (!news) return false;
    for (const change of news.changes) await writeChange(reading, change);
    if (news.changes.length > 0) await writer.write(line({ state: "current", seq: news.seq }));
    else if (hasEnded(state)) {
      await writer.write(line({ state: "end", job: state }));
      return true;
    } else if (!isNews) writer.keepAlive();
    await writer.flush();
    isNews = false;
    await platform.provisionalChanged(id, follower, signal, limits.signOfLifeMs);
  }
  return true;
}

async function writeChange({ start, writer }: Reading, change: ProvisionalChange): Promise<void> {
  const { client, state } = change;
  const items =
    state === "kept"
      ? change.outputs.map((result) => ({
          index: result.index,
          item: () => provisionalItem({ ...result, client }),
        }))
      : change.indexes.map((index) => ({ index, item: () => line({ state, index, client }) }));
  for (const { index, item } of items) {
    if (index <= start) continue;
    const full = writer.write(item());
    if (full) await full;
  }
}

function line(item: FollowedProvisional): string {
  return `${JSON.stringify(item)}\n`;
}

async function refuseRevoked({ stillAllowed }: Call): Promise<void> {
  if (!(await stillAllowed()))
    throw new PlatformError("UNAUTHENTICATED", "The token was revoked or has expired.");
}
