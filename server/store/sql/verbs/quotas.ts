import { PlatformError } from "../../../../shared/errors.ts";
import { recordLimits } from "../../../../shared/limits.ts";
import type { OwnQuotas, Quotas } from "../../quotas.ts";
import type { Database, Step } from "../database.ts";
import type { Transaction } from "../transaction.ts";

type OwnRow = { readonly [Bound in keyof Quotas]: number | null };

/** @throws PlatformError TOO_MANY */
export function* setQuotas(transaction: Transaction, customer: string, own: OwnQuotas): Step<void> {
  const { db, usage } = transaction;
  const count = yield* db.get<{ count: number }>(
    "SELECT count(*) AS count FROM quotas WHERE customer <> ?",
    customer,
  );
  if (count!.count >= recordLimits.ownQuotas)
    throw new PlatformError(
      "TOO_MANY",
      `As many as ${recordLimits.ownQuotas} customers have quotas of their own. Expected fewer.`,
    );
  const { bytes = null, jobs = null, kernels = null, openTasks = null } = own;
  yield* db.run("DELETE FROM quotas WHERE customer = ?", customer);
  if (Object.keys(own).length > 0)
    yield* db.run(
      "INSERT INTO quotas (customer, bytes, jobs, kernels, openTasks) VALUES (?, ?, ?, ?, ?)",
      customer,
      bytes,
      jobs,
      kernels,
      openTasks,
    );
  transaction.afterCommit(() => usage.bound(customer, own));
}

/** The bounds of customers that have any of their own. */
export function* readQuotas(db: Database): Step<[customer: string, own: OwnQuotas][]> {
  const rows = yield* db.all<OwnRow & { customer: string }>(
    "SELECT customer, bytes, jobs, kernels, openTasks FROM quotas ORDER BY customer",
  );
  return rows.map(({ customer, ...row }) => [customer, ownOf(row)]);
}

/** Leaves out the bounds that are the server's. */
export function ownOf(row: OwnRow): OwnQuotas {
  return Object.fromEntries(Object.entries(row).filter(([, bound]) => bound !== null));
}
