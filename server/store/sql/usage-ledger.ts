import { PlatformError } from "../../../shared/errors.ts";
import { hasEnded } from "../../../shared/wire/rest/job-state.ts";
import { nothing, usedBytes, type OwnQuotas, type Quotas, type Usage } from "../quotas.ts";
import type { JobRow } from "../store.ts";
import type { Database, Step } from "./database.ts";

type Counts = { -readonly [Count in keyof Usage]: Usage[Count] };
type Change = Partial<Usage>;

/** The remedy for each bound. */
const remedies: Record<keyof Quotas, string> = {
  bytes: "Delete jobs, blobs or kernels (`manyhands delete`), or have the quota raised (`manyhands quota`).",
  jobs: "Delete jobs: `manyhands delete`.",
  kernels: "Delete kernels that no job uses: `manyhands kernels --delete`.",
  openTasks: "Wait until tasks have ended, or cancel jobs: `manyhands cancel`.",
};

const nouns: Record<keyof Quotas, string> = {
  bytes: "stored bytes",
  jobs: "jobs",
  kernels: "kernels",
  openTasks: "open tasks",
};

/**
 * The usage of each customer, counted in memory: read from the database when the store opens, then kept up to date by the verbs. Later
 * verbs of a transaction see its changes, and a rollback undoes them.
 */
export class UsageLedger {
  /** Bounds of customers that have none of their own. */
  readonly quotas: Quotas;
  readonly #own: Map<string, OwnQuotas>;
  readonly #customers = new Map<string, Counts>();
  /** Changes of this transaction. */
  protected pending: [customer: string, change: Change][] = [];
  /** Customers whose bytes are full, as of the last commit. */
  readonly #full = new Set<string>();
  #listener: (customer: string, full: boolean) => void = () => {};

  constructor(
    quotas: Quotas,
    customers: ReadonlyMap<string, Usage> = new Map(),
    own: Iterable<readonly [customer: string, own: OwnQuotas]> = [],
  ) {
    this.quotas = quotas;
    this.#own = new Map(own);
    for (const [customer, usage] of customers) this.#customers.set(customer, { ...usage });
    for (const customer of [...this.#customers.keys(), ...this.#own.keys()]) this.#noteFull(customer);
  }

  of(customer: string): Usage {
    return this.#customers.get(customer) ?? nothing;
  }

  /** The bounds that hold for a customer. */
  boundsOf(customer: string): Quotas {
    return { ...this.quotas, ...this.#own.get(customer) };
  }

  /** Gives a customer bounds of its own; without any, those of the server. */
  bound(customer: string, own: OwnQuotas): void {
    if (Object.keys(own).length > 0) this.#own.set(customer, own);
    else this.#own.delete(customer);
    if (this.#noteFull(customer)) this.#listener(customer, this.#full.has(customer));
  }

  /** Replaces the own bounds of all customers. */
  protected boundAll(own: ReadonlyMap<string, OwnQuotas>): void {
    for (const customer of this.#own.keys()) if (!own.has(customer)) this.bound(customer, {});
    for (const [customer, bounds] of own) this.bound(customer, bounds);
  }

  /* oxlint-disable eslint/require-yield -- Counts in memory need no query; those of a ledger that several servers share do. */

  /** The usage of a customer, as committed. */
  *read(customer: string): Step<Usage> {
    return { ...this.of(customer) };
  }

  /** Every customer that keeps anything, as committed. */
  *readAll(): Step<[customer: string, usage: Usage][]> {
    return [...this.#customers].map(([customer, counts]) => [customer, { ...counts }]);
  }

  /** Makes the counts of a customer those that bounds hold for. */
  protected *refresh(_customer: string): Step<void> {}

  /* oxlint-enable eslint/require-yield */

  /** Replaces the committed counts of a customer; the changes of this transaction stay on top. */
  protected set(customer: string, usage: Usage): void {
    this.#customers.set(customer, { ...usage });
    for (const [changed, change] of this.pending) if (changed === customer) this.#apply(customer, change, 1);
    if (this.#noteFull(customer)) this.#listener(customer, this.#full.has(customer));
  }

  add(customer: string, change: Change): void {
    this.pending.push([customer, change]);
    this.#apply(customer, change, 1);
  }

  /** Counts the difference between two states of a job's row; `undefined`: before it was made, after it was deleted. */
  jobChanged(before: JobRow | undefined, after: JobRow | undefined): void {
    const row = before ?? after;
    if (!row) return;
    const [old, now] = [shareOf(before), shareOf(after)];
    const change: Change = {
      jobs: now.jobs - old.jobs,
      inputBytes: now.inputBytes - old.inputBytes,
      outputBytes: now.outputBytes - old.outputBytes,
      openTasks: now.openTasks - old.openTasks,
    };
    if (change.jobs || change.inputBytes || change.outputBytes || change.openTasks)
      this.add(row.customer, change);
  }

  /** To be called before a verb's first write. @throws PlatformError QUOTA_EXCEEDED */
  *mustFit(customer: string, growth: Partial<Record<keyof Quotas, number>>): Step<void> {
    yield* this.refresh(customer);
    const usage = this.of(customer);
    const used: Record<keyof Quotas, number> = { ...usage, bytes: usedBytes(usage) };
    const bounds = this.boundsOf(customer);
    for (const bound of Object.keys(growth) as (keyof Quotas)[]) {
      const more = growth[bound] ?? 0;
      if (more <= 0 || used[bound] + more <= bounds[bound]) continue;
      throw new PlatformError(
        "QUOTA_EXCEEDED",
        `Customer "${customer}" keeps ${used[bound]} ${nouns[bound]} and asks for ${more} more; at most ${bounds[bound]} are allowed.`,
        undefined,
        remedies[bound],
      );
    }
  }

  /** Room of a customer under the quota; negative when results made the quota more than full. */
  *room(customer: string): Step<Pick<Quotas, "bytes" | "openTasks">> {
    yield* this.refresh(customer);
    const usage = this.of(customer);
    const bounds = this.boundsOf(customer);
    return { bytes: bounds.bytes - usedBytes(usage), openTasks: bounds.openTasks - usage.openTasks };
  }

  /** Calls back with every customer whose bytes are full, at once and whenever that changes for a customer. */
  listen(listener: (customer: string, full: boolean) => void): void {
    this.#listener = listener;
    for (const customer of this.#full) listener(customer, true);
  }

  committed(): void {
    if (this.pending.length === 0) return;
    const changed = new Set(this.pending.map(([customer]) => customer));
    this.pending = [];
    for (const customer of changed) {
      if (this.#noteFull(customer)) this.#listener(customer, this.#full.has(customer));
      const counts = this.#customers.get(customer);
      if (counts && Object.values(counts).every((count) => count === 0)) this.#customers.delete(customer);
    }
  }

  rolledBack(): void {
    for (const [customer, change] of this.pending) this.#apply(customer, change, -1);
    this.pending = [];
  }

  #apply(customer: string, change: Change, sign: 1 | -1): void {
    let counts = this.#customers.get(customer);
    if (!counts) this.#customers.set(customer, (counts = { ...nothing }));
    for (const count of Object.keys(change) as (keyof Usage)[]) counts[count] += sign * (change[count] ?? 0);
  }

  /** Updates whether the customer's bytes are full. @returns whether that changed */
  #noteFull(customer: string): boolean {
    const full = usedBytes(this.of(customer)) >= this.boundsOf(customer).bytes;
    if (full === this.#full.has(customer)) return false;
    if (full) this.#full.add(customer);
    else this.#full.delete(customer);
    return true;
  }
}

function shareOf(row: JobRow | undefined): Pick<Usage, "jobs" | "inputBytes" | "outputBytes" | "openTasks"> {
  if (!row) return nothing;
  const { inputBytes, outputBytes, state, total, done, failed } = row;
  return { jobs: 1, inputBytes, outputBytes, openTasks: hasEnded(state) ? 0 : total - done - failed };
}

/** Counts the usage of every customer from the stored rows. */
export function* countUsage(db: Database): Step<Map<string, Usage>> {
  const customers = new Map<string, Usage>();
  const rows = yield* db.all<Usage & { customer: string }>(
    `SELECT customer, sum(inputBytes) AS inputBytes, sum(outputBytes) AS outputBytes, sum(jobs) AS jobs,
       sum(openTasks) AS openTasks, sum(blobBytes) AS blobBytes, sum(kernelBytes) AS kernelBytes, sum(kernels) AS kernels
     FROM (
       SELECT customer, inputBytes, outputBytes, 1 AS jobs,
         CASE WHEN state IN ('open', 'closed') THEN total - done - failed ELSE 0 END AS openTasks, 0 AS blobBytes, 0 AS kernelBytes, 0 AS kernels
       FROM jobs
       UNION ALL SELECT name, 0, 0, 0, 0, size, 0, 0 FROM blobOwners WHERE kind = 'customer'
       UNION ALL SELECT customer, 0, 0, 0, 0, 0, size, 1 FROM kernelOwners JOIN kernels USING (sha256)
     ) AS parts GROUP BY customer`,
  );
  for (const { customer, ...counts } of rows) customers.set(customer, counts);
  return customers;
}
