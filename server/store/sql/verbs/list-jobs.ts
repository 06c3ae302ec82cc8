import { PlatformError } from "../../../../shared/errors.ts";
import type { JobSort } from "../../../../shared/wire/rest/job-list.ts";
import type { JobFilter, JobPage, JobRow, JobTotals } from "../../store.ts";
import type { JobOrder } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

/** Names of people are sorted in any case, as far as ASCII has cases. */
const orders: Record<JobSort, JobOrder> = {
  newest: { by: "number", descending: true },
  oldest: { by: "number", descending: false },
  name: { by: "lower(json_extract(options, '$.name') COLLATE BINARY)", descending: false },
  customer: { by: "lower(customer COLLATE BINARY)", descending: false },
  priority: { by: "priority", descending: true },
  failed: { by: "failed", descending: true },
  ended: { by: "coalesce(endedAt, 0)", descending: true },
};

/** Columns that each word of a search is looked for in. */
const searched = ["json_extract(options, '$.name')", "customer", "coalesce(jobGroup, '')"];

/** Jobs that match a filter, newest first. */
export function* listJobs(
  { jobs }: Transaction,
  filter: JobFilter,
  limit: number | undefined,
): Step<JobRow[]> {
  const { where, values } = condition(filter);
  return (yield* jobs.list(where, values, limit)).map(({ row }) => row);
}

/**
 * A page of jobs. The cursor is the place of the last job of the page before: its number, and what the list is sorted by. So a deleted job
 * does not break it.
 * @throws PlatformError BAD_REQUEST for the cursor of a list that is sorted otherwise
 */
export function* pageOfJobs(
  { jobs }: Transaction,
  filter: JobFilter,
  limit: number,
  cursor?: string,
  sort: JobSort = "newest",
): Step<JobPage> {
  const { where, values } = condition(filter);
  const order = orders[sort];
  const behind = cursor === undefined ? { where: "", values: [] } : conditionBehind(order, cursor);
  const found = yield* jobs.list(`${where}${behind.where}`, [...values, ...behind.values], limit + 1, order);
  const last = found.length > limit ? found[limit - 1] : undefined;
  return { rows: found.slice(0, limit).map(({ row }) => row), next: last && cursorOf(order, last) };
}

function cursorOf({ by }: JobOrder, { number, place }: { number: number; place: string | number }): string {
  if (by === "number") return String(number);
  return `${number}.${Buffer.from(JSON.stringify(place)).toString("base64url")}`;
}

function conditionBehind(
  { by, descending }: JobOrder,
  cursor: string,
): { where: string; values: (string | number)[] } {
  const sign = descending ? "<" : ">";
  const [number, place] = cursor.split(".", 2);
  if (by === "number" && place === undefined)
    return { where: ` AND number ${sign} ?`, values: [Number(number)] };
  const value = by !== "number" && place !== undefined ? readPlace(place) : undefined;
  if (typeof value !== (by.startsWith("lower(") ? "string" : "number"))
    throw new PlatformError(
      "BAD_REQUEST",
      "The cursor is of a list that is sorted otherwise; expected what Next-Cursor said, with the same sort.",
    );
  const at = value as string | number;
  // The first condition bounds the walk through the index; the second one is the exact place.
  return {
    where: ` AND ${by} ${sign}= ? AND (${by} ${sign} ? OR number ${sign} ?)`,
    values: [at, at, Number(number)],
  };
}

function readPlace(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString()) as unknown;
  } catch {
    return undefined;
  }
}

export function* jobTotals({ db }: Transaction): Step<JobTotals> {
  const totals = yield* db.get<JobTotals>(
    `SELECT (SELECT count(*) FROM jobs) AS jobs, count(*) AS active, coalesce(sum(total - done - failed), 0) AS openTasks,
       coalesce(sum(provisional), 0) AS provisional
       FROM jobs WHERE state IN ('open', 'closed')`,
  );
  return { jobs: 0, active: 0, openTasks: 0, provisional: 0, ...totals };
}

function condition(filter: JobFilter): { where: string; values: (string | number)[] } {
  const { customer, group, active, states, failing, search, ids } = filter;
  const parts: [string, ...(string | number)[]][] = [["1 = 1"]];
  if (customer !== undefined) parts.push(["customer = ?", customer]);
  if (group !== undefined) parts.push(["jobGroup = ?", group]);
  if (active !== undefined) parts.push([`state ${active ? "IN" : "NOT IN"} ('open', 'closed')`]);
  if (states !== undefined) parts.push(["state IN (SELECT value FROM json_each(?))", JSON.stringify(states)]);
  if (failing) parts.push(["(failed > 0 OR state IN ('quarantined', 'blocked'))"]);
  if (ids !== undefined) parts.push(["id IN (SELECT value FROM json_each(?))", JSON.stringify(ids)]);
  for (const word of (search ?? "").split(/\s+/).filter((each) => each !== "")) parts.push(stands(word));
  return {
    where: parts.map(([text]) => text).join(" AND "),
    values: parts.flatMap(([, ...values]) => values),
  };
}

/** A word may occur anywhere in texts of people, but only at the beginning of an id: ids are random, so "22" would be in many. */
function stands(word: string): [string, ...string[]] {
  const places = searched.map((text) => `instr(lower(${text}), lower(?)) > 0`);
  if (/^j_/i.test(word)) places.push("instr(id, lower(?)) = 1");
  return [`(${places.join(" OR ")})`, ...places.map(() => word)];
}
