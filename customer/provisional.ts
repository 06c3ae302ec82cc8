import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { PlatformError } from "../shared/errors.ts";
import type { JobId } from "../shared/ids.ts";
import { provisionalLineSchema, type ProvisionalLine } from "../shared/wire/rest.ts";
import type { HttpClient } from "./http.ts";
import { jsonLines } from "./line-stream.ts";
import { pauseMs } from "./retry.ts";

/**
 * The present provisional results of a job with a greater index than `start`, lowest index first. A task may have several: a request after a
 * broken connection begins behind the last task whose results are all there.
 */
export async function* streamProvisional(
  http: HttpClient,
  id: JobId,
  start: number | undefined,
): AsyncGenerator<ProvisionalLine, void, undefined> {
  let after = start;
  for (let cuts = 0; ; cuts++) {
    let ofTask: ProvisionalLine[] = [];
    try {
      const query = after === undefined ? "" : `?after=${after}`;
      const response = await http.open({ method: "GET", path: `api/jobs/${id}/provisional${query}` });
      for await (const line of jsonLines(response)) {
        const result = parseLine(line);
        const [first = result] = ofTask;
        if (result.index !== first.index) {
          after = first.index;
          cuts = 0;
          yield* ofTask;
          ofTask = [];
        }
        ofTask.push(result);
      }
      yield* ofTask;
      return;
    } catch (error) {
      if (error instanceof PlatformError || error instanceof SyntaxError) throw error;
      // Another failure is of the connection.
    }
    await sleep(pauseMs(cuts), undefined, { signal: http.closed }).catch(() => http.closed.throwIfAborted());
  }
}

function parseLine(line: unknown): ProvisionalLine {
  const parsed = v.safeParse(provisionalLineSchema, line);
  if (parsed.success) return parsed.output;
  throw new PlatformError(
    "UPGRADE_REQUIRED",
    `A provisional result came in an unknown form: ${parsed.issues[0].message}.`,
  );
}
