import type { Quotas, Usage } from "../quotas.ts";
import type { Step } from "../sql/database.ts";
import { UsageLedger } from "../sql/usage-ledger.ts";
import { ownOf, readQuotas } from "../sql/verbs/quotas.ts";
import type { PostgresDatabase } from "./database.ts";

const columns = [
  "inputBytes",
  "outputBytes",
  "blobBytes",
  "kernelBytes",
  "jobs",
  "kernels",
  "openTasks",
] as const;

const selectUsage = `SELECT customer, ${columns.join(", ")} FROM usage`;

/** Usage and own bounds of one customer, in a row even of one that keeps nothing. */
const selectOne = `SELECT ${columns.map((column) => `coalesce(usage.${column}, 0) AS ${column}`).join(", ")},
    quotas.bytes AS ownBytes, quotas.jobs AS ownJobs, quotas.kernels AS ownKernels, quotas.openTasks AS ownTasks
  FROM (SELECT ?::text AS customer) AS asked LEFT JOIN usage USING (customer) LEFT JOIN quotas USING (customer)`;

type One = Usage & { readonly [Own in "ownBytes" | "ownJobs" | "ownKernels" | "ownTasks"]: number | null };

type Row = Usage & { readonly customer: string };

/**
 * The usage of each customer, in rows that every commit adds its changes to. Bounds hold for the row as it was when the transaction first
 * asked, so that servers whose transactions overlap may exceed a quota by the bytes that these add.
 */
export class SharedUsage extends UsageLedger {
  readonly #db: PostgresDatabase;
  /** Customers whose counts were read in this transaction. */
  readonly #fresh = new Set<string>();

  constructor(db: PostgresDatabase, quotas: Quotas) {
    super(quotas);
    this.#db = db;
  }

  override *read(customer: string): Step<Usage> {
    yield* this.refresh(customer);
    return { ...this.of(customer) };
  }

  override *readAll(): Step<[customer: string, usage: Usage][]> {
    const rows = yield* this.#db.all<Row>(`${selectUsage} ORDER BY customer`);
    return rows
      .map(({ customer, ...usage }): [string, Usage] => [customer, usage])
      .filter(([, usage]) => Object.values(usage).some((count) => count !== 0));
  }

  /** Reads the bounds and the usage of all customers, for the listener to hear who is full. */
  *readFull(): Step<void> {
    this.boundAll(new Map(yield* readQuotas(this.#db)));
    for (const { customer, ...usage } of yield* this.#db.all<Row>(selectUsage)) this.set(customer, usage);
  }

  /** Writes the changes of the transaction; in order of customers, so that two servers do not wait for each other. */
  flush(): void {
    const changes = new Map<string, number[]>();
    for (const [customer, change] of this.pending) {
      const sums = changes.get(customer) ?? columns.map(() => 0);
      columns.forEach((column, at) => (sums[at]! += change[column] ?? 0));
      changes.set(customer, sums);
    }
    for (const [customer, sums] of [...changes].sort(([a], [b]) => (a < b ? -1 : 1)))
      this.#db.write(
        `INSERT INTO usage AS kept (customer, ${columns.join(", ")}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (customer) DO UPDATE SET ${columns.map((column) => `${column} = kept.${column} + excluded.${column}`).join(", ")}`,
        customer,
        ...sums,
      );
  }

  override committed(): void {
    this.#fresh.clear();
    super.committed();
  }

  override rolledBack(): void {
    this.#fresh.clear();
    super.rolledBack();
  }

  protected override *refresh(customer: string): Step<void> {
    if (this.#fresh.has(customer)) return;
    const found = yield* this.#db.get<One>(selectOne, customer);
    const { ownBytes, ownJobs, ownKernels, ownTasks, ...usage } = found!;
    this.bound(customer, ownOf({ bytes: ownBytes, jobs: ownJobs, kernels: ownKernels, openTasks: ownTasks }));
    this.set(customer, usage);
    this.#fresh.add(customer);
  }
}
