import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { PlatformError } from "../shared/errors.ts";
import type { JobId } from "../shared/ids.ts";
import { contentTypes } from "../shared/wire/rest/content-types.ts";
import {
  followedProvisionalSchema,
  provisionalLineSchema,
  resultLineSchema,
  type FollowedProvisional,
  type ProvisionalLine,
  type ResultLine,
} from "../shared/wire/rest/results.ts";
import type { HttpClient } from "./http.ts";
import { jsonLines } from "./line-stream.ts";
import { pauseMs } from "./retry.ts";

/** A provisional result, or the notice that it is accepted or withdrawn. */
type Told = Extract<FollowedProvisional, { state: "provisional" | "accepted" | "withdrawn" }>;

/** A provisional result that the reader was given, and has no notice of yet. */
interface Given {
  readonly index: number;
  readonly client: string;
  /** Digest of the output, because the output itself may be large. */
  readonly digest: string;
  /** The number of the newest snapshot with this result. */
  snapshot: number;
}

/**
 * The present provisional results of a job with a greater index than `start`, lowest index first. A task may have several: a request after a
 * broken connection begins behind the last task whose results are all there.
 */
export function streamProvisional(
  http: HttpClient,
  id: JobId,
  start: number | undefined,
): AsyncGenerator<ProvisionalLine, void, undefined> {
  let after = start;
  return untilWhole(http, async function* () {
    let ofTask: ProvisionalLine[] = [];
    const query = after === undefined ? "" : `?after=${after}`;
    const response = await http.open({
      method: "GET",
      path: `api/jobs/${id}/provisional${query}`,
      mayShrink: true,
    });
    for await (const line of jsonLines(response)) {
      const result = parse(provisionalLineSchema, line);
      const [first = result] = ofTask;
      if (result.index !== first.index) {
        after = first.index;
        yield* ofTask;
        ofTask = [];
      }
      ofTask.push(result);
    }
    yield* ofTask;
    return true;
  });
}

/**
 * The present provisional results of a job with a greater index than `start`, then each later one, and one notice for each of them, until the job has
 * ended. After a broken connection the snapshot of the next reply tells which of the given results are over, and the outcomes since then
 * which of these were accepted.
 */
export function followProvisional(
  http: HttpClient,
  id: JobId,
  start: number | undefined,
): AsyncGenerator<Told, void, undefined> {
  const all = new Map<string, Given>();
  /** Sequence number up to which the outcomes include no result of `all`. */
  let since: number | undefined;
  let snapshot = 0;
  const after = start === undefined ? "" : `&after=${start}`;

  async function* settle(results: readonly Given[]): AsyncGenerator<Told, void, undefined> {
    for await (const { index, client, state } of fatesOf(http, id, since ?? 0, results)) {
      all.delete(keyOf(index, client));
      yield { state, index, client };
    }
  }

  return untilWhole(http, async function* () {
    const response = await http.open({
      method: "GET",
      path: `api/jobs/${id}/provisional?follow=1${after}`,
      mayShrink: true,
    });
    let isWhole = false;
    for await (const json of jsonLines(response)) {
      const line = parse(followedProvisionalSchema, json);
      switch (line.state) {
        case "snapshot":
          snapshot++;
          since ??= line.seq;
          isWhole = false;
          break;
        case "current":
          if (!isWhole) yield* settle([...all.values()].filter((given) => given.snapshot !== snapshot));
          isWhole = true;
          since = line.seq;
          break;
        case "provisional": {
          const { index, client, output } = line;
          // An unreadable output, which only a hostile client makes, will not be accepted.
          if (line.message !== undefined) break;
          const key = keyOf(index, client);
          const digest = digestOf(output);
          const known = all.get(key);
          all.set(key, { index, client, digest, snapshot });
          if (known?.digest === digest) break;
          if (known) yield { state: "withdrawn", index, client };
          yield line;
          break;
        }
        case "accepted":
        case "withdrawn":
          if (all.delete(keyOf(line.index, line.client))) yield line;
          break;
        case "end":
          yield* settle([...all.values()]);
          return true;
      }
    }
    return false;
  });
}

/** Finds out which results are outcomes by now: those whose tasks have these outputs. The others are withdrawn. */
async function* fatesOf(
  http: HttpClient,
  id: JobId,
  since: number,
  results: readonly Given[],
): AsyncGenerator<Given & { readonly state: "accepted" | "withdrawn" }, void, undefined> {
  if (results.length === 0) return;
  const left = new Map<number, Given[]>();
  for (const given of results) {
    const ofTask = left.get(given.index);
    if (ofTask) ofTask.push(given);
    else left.set(given.index, [given]);
  }
  for await (const outcome of outcomesSince(http, id, since)) {
    if (outcome.state === "end") break;
    const ofTask = left.get(outcome.index) ?? [];
    left.delete(outcome.index);
    const digest = outcome.state === "done" ? digestOf(outcome.output) : undefined;
    for (const given of ofTask) yield { ...given, state: given.digest === digest ? "accepted" : "withdrawn" };
    if (left.size === 0) return;
  }
  for (const ofTask of left.values()) for (const given of ofTask) yield { ...given, state: "withdrawn" };
}

/** The present outcomes after sequence number `since`, in the JSON form of provisional results. */
function outcomesSince(
  http: HttpClient,
  id: JobId,
  since: number,
): AsyncGenerator<ResultLine, void, undefined> {
  let after = since;
  return untilWhole(http, async function* () {
    const path = `api/jobs/${id}/results?after=${after}`;
    const headers = { accept: contentTypes.ndjson };
    const response = await http.open({ method: "GET", path, headers, mayShrink: true });
    for await (const json of jsonLines(response)) {
      const line = parse(resultLineSchema, json);
      if (line.state !== "end") after = line.seq;
      yield line;
    }
    return true;
  });
}

/** Reads with `attempt`, and again after each broken connection, until an attempt returns that it has read all. */
async function* untilWhole<Item>(
  http: HttpClient,
  attempt: () => AsyncGenerator<Item, boolean, undefined>,
): AsyncGenerator<Item, void, undefined> {
  for (let cuts = 0; ; cuts++) {
    const items = attempt();
    try {
      let step = await items.next();
      for (; !step.done; step = await items.next()) {
        cuts = 0;
        yield step.value;
      }
      if (step.value) return;
    } catch (error) {
      if (error instanceof PlatformError || error instanceof SyntaxError) throw error;
      // Another failure is of the connection.
    } finally {
      await items.return(true);
    }
    await sleep(pauseMs(cuts), undefined, { signal: http.closed }).catch(() => http.closed.throwIfAborted());
  }
}

function parse<Schema extends v.GenericSchema>(schema: Schema, line: unknown): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, line);
  if (parsed.success) return parsed.output;
  throw new PlatformError(
    "UPGRADE_REQUIRED",
    `A provisional result came in an unknown form: ${parsed.issues[0].message}.`,
  );
}

function keyOf(index: number, client: string): string {
  return `${index} ${client}`;
}

function digestOf(output: unknown): string {
  return hash("sha256", JSON.stringify(output), "base64url");
}
