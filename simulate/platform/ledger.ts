import { decodeValue, encodeValue } from "../../shared/wire/codec.ts";
import type { JobId, TaskIndex } from "../../shared/ids.ts";
import type { ClientMessage } from "../../shared/wire/protocol.ts";
import { hasEnded } from "../../shared/wire/rest/job-state.ts";
import { readTaskPack } from "../../shared/wire/task-pack.ts";
import type { JobRow, ResultRow, Store } from "../../server/store/store.ts";
import { kernels, truth } from "./kernels.ts";
import type { JobPlan } from "./plan.ts";
import type { SimulatedRequest } from "./requests.ts";

type Results = Extract<ClientMessage, { type: "results" }>;

/** A job as customers know it: their requests, and the replies. */
interface JobRecord {
  readonly plan: JobPlan;
  /** Inputs that are on disk, as a reply said. */
  readonly submitted: Map<TaskIndex, Uint8Array>;
  isCreated: boolean;
  isClosed: boolean;
  isCancelled: boolean;
  isDeleted: boolean;
  mayBeDeleted: boolean;
  mayBeCancelled: boolean;
  mayBeRequeued: boolean;
  /** Tasks whose output the server said to have accepted. */
  readonly accepted: Set<TaskIndex>;
}

/** Broken rule of SPEC.md. */
export class Violation extends Error {
  override readonly name = "Violation";
}

export function must(holds: boolean, story: () => string): asserts holds {
  if (!holds) throw new Violation(story());
}

/**
 * Every acknowledgement that customers and clients got. After each start of a server, and in the end, the store is compared with it: there
 * a server cannot tell from memory what is not on disk.
 */
export class Ledger {
  readonly #plans: ReadonlyMap<string, JobPlan>;
  readonly #jobs = new Map<JobId, JobRecord>();
  /** The newest results of each client that are on their way to a server: whether they have an output. */
  readonly #sent = new Map<string, boolean>();

  /** @param plans - by the name of the job */
  constructor(plans: ReadonlyMap<string, JobPlan>) {
    this.#plans = plans;
  }

  /** Notes a customer's request, before it is known whether the request arrives. */
  asked({ method, path }: SimulatedRequest): void {
    const [, , id = "", verb = ""] = path.split(/[/?]/);
    const record = this.#jobs.get(id as JobId);
    if (!record) return;
    if (method === "DELETE") record.mayBeDeleted = true;
    if (verb === "cancel") record.mayBeCancelled = true;
    if (verb === "requeue-failed") record.mayBeRequeued = true;
  }

  /** Notes that a customer got a reply with a status below 300. */
  replied({ method, path, body }: SimulatedRequest, text: string): void {
    const [, noun = "", id = "", verb = ""] = path.split(/[/?]/);
    if (noun !== "jobs" || method === "GET") return;
    if (id === "") {
      const { id: made, name } = JSON.parse(text) as { id: JobId; name: string };
      this.#recordOf(made, name).isCreated = true;
      return;
    }
    const record = this.#jobs.get(id as JobId);
    if (!record) return;
    if (method === "DELETE") record.isDeleted = true;
    if (verb === "tasks") {
      for (const { index, input } of readTaskPack(body!)) record.submitted.set(index, input as Uint8Array);
      if (path.endsWith("close=1")) record.isClosed = true;
    }
    if (verb === "close") record.isClosed = true;
    if (verb === "cancel") record.isCancelled = true;
  }

  /** Forgets all jobs, which the administrator deletes. */
  clear(): void {
    this.#jobs.clear();
  }

  resultsSent(client: string, { job, results }: Results): void {
    for (const { index, outcome } of results)
      this.#sent.set(`${client} ${job} ${index}`, outcome.state === "done");
  }

  resultsAccepted(client: string, job: JobId, indexes: readonly TaskIndex[]): void {
    const record = this.#jobs.get(job);
    for (const index of indexes) {
      const name = `${client} ${job} ${index}`;
      // Without verification every output is an outcome at once.
      if (this.#sent.get(name) && record?.plan.verify === "off") record.accepted.add(index);
      this.#sent.delete(name);
    }
  }

  #recordOf(id: JobId, name: string): JobRecord {
    let record = this.#jobs.get(id);
    if (!record) {
      record = {
        plan: this.planOf(name),
        submitted: new Map(),
        isCreated: false,
        isClosed: false,
        isCancelled: false,
        isDeleted: false,
        mayBeDeleted: false,
        mayBeCancelled: false,
        mayBeRequeued: false,
        accepted: new Set(),
      };
      this.#jobs.set(id, record);
    }
    return record;
  }

  planOf(name: string): JobPlan {
    const plan = this.#plans.get(name);
    must(plan !== undefined, () => `the store has a job "${name}" that nobody submitted`);
    return plan;
  }

  /** Compares the store with all acknowledgements. @throws Violation */
  async compare(store: Store): Promise<void> {
    const rows = new Map((await store.listJobs()).map((row) => [row.id, row]));
    for (const [id, record] of this.#jobs) {
      const row = rows.get(id);
      if (record.isDeleted) must(row === undefined, () => `job ${id} is there again after it was deleted`);
      if (!row) {
        must(!record.isCreated || record.mayBeDeleted, () => `[DUR-1] job ${id} is gone`);
        continue;
      }
      await compareJob(store, row, record);
    }
    for (const row of rows.values()) await this.#checkResults(store, row);
  }

  async #checkResults(store: Store, row: JobRow): Promise<void> {
    const record = this.#recordOf(row.id, row.name);
    const results = await allResults(store, row.id);
    checkOrder(row, results);
    if (!record.mayBeRequeued)
      must(results.length === row.lastSeq, () => `[ONCE-4] job ${row.id} has gaps in ${row.lastSeq} results`);
    if (row.state === "finished")
      must(results.length === row.total, () => `[END-1] job ${row.id} is finished without all outcomes`);
    const wrong = results.filter((result) => !isTrue(record.plan, result));
    must(
      wrong.length <= row.statement.unverified,
      () => `[VERIFY-3] ${wrong.length} results of job ${row.id} (${row.name}) are wrong: ${tell(wrong[0])}`,
    );
    for (const index of record.accepted)
      must(
        results.some((result) => result.index === index) || record.mayBeDeleted || hasEndedEarly(row),
        () => `[DUR-2] the accepted result ${row.id}/${index} is lost`,
      );
  }
}

function hasEndedEarly({ state }: JobRow): boolean {
  return hasEnded(state) && state !== "finished";
}

async function compareJob(store: Store, row: JobRow, record: JobRecord): Promise<void> {
  const { id } = row;
  if (record.isCancelled) must(hasEnded(row.state), () => `[END-2] cancelled job ${id} is ${row.state}`);
  if (record.isClosed) must(row.state !== "open", () => `[DUR-1] closed job ${id} is open again`);
  const tasks = await store.readTasks(id, [...record.submitted.keys()]);
  const inputs = new Map(tasks.map(({ index, input }) => [index, input]));
  for (const [index, input] of record.submitted)
    must(
      Buffer.compare((inputs.get(index) as Uint8Array | undefined) ?? new Uint8Array(), input) === 0,
      () => `[DUR-1] [ONCE-3] task ${id}/${index} is gone, or has another input`,
    );
}

/** Rules of every list of results. @throws Violation */
export function checkOrder(
  { id, lastSeq }: Pick<JobRow, "id" | "lastSeq">,
  results: readonly Pick<ResultRow, "seq" | "index">[],
): void {
  const indexes = new Set<number>();
  let before = 0;
  for (const { seq, index } of results) {
    must(seq > before && seq <= lastSeq, () => `[ONCE-4] result ${seq} of job ${id} comes after ${before}`);
    must(!indexes.has(index), () => `[ONCE-1] task ${id}/${index} has two outcomes`);
    before = seq;
    indexes.add(index);
  }
}

function isTrue({ kernel, inputs, mayTimeOut }: JobPlan, result: ResultRow): boolean {
  const input = inputs[result.index];
  if (input === undefined) return false;
  const output = truth(kernels[kernel], input);
  if (result.state === "failed") {
    const { kind } = result.failure;
    return kind === "timeout" ? mayTimeOut : output === undefined && kind === "error";
  }
  if (output === undefined || !(result.output instanceof Uint8Array)) return false;
  return Buffer.compare(result.output, encodeValue(output)) === 0;
}

function tell(result: ResultRow | undefined): string {
  if (!result) return "none";
  const what = result.state === "failed" ? result.failure : decodeValue(result.output as Uint8Array);
  return `${result.index}: ${JSON.stringify(what)}`;
}

export async function allResults(store: Store, id: JobId): Promise<ResultRow[]> {
  const all: ResultRow[] = [];
  for (;;) {
    const page = await store.results(id, all.at(-1)?.seq ?? 0, 1000, 2 ** 20);
    if (page.length === 0) return all;
    all.push(...page);
  }
}
