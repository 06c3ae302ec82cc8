import type { JobFilter, JobPage, JobRow, JobTotals } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

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

/** A page of jobs. The cursor is the number of the last job of the page before, so that a deleted job does not break it. */
export function* pageOfJobs(
  { jobs }: Transaction,
  filter: JobFilter,
  limit: number,
  cursor?: string,
): Step<JobPage> {
  const { where, values } = condition(filter);
  const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor);
  const found = yield* jobs.list(`${where} AND number < ?`, [...values, before], limit + 1);
  const last = found.length > limit ? found[limit - 1] : undefined;
  return { rows: found.slice(0, limit).map(({ row }) => row), next: last && String(last.number) };
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
