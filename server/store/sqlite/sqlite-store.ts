import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, PlatformError } from "../../../shared/errors.ts";
import type { Quotas } from "../quotas.ts";
import type { Damage } from "../sql/checksum.ts";
import { finish } from "../sql/database.ts";
import { EndedSets } from "../sql/ended-sets.ts";
import { JobCache } from "../sql/job-cache.ts";
import { OutcomePacks } from "../sql/outcome-packs.ts";
import { ProvisionalPacks } from "../sql/provisional-packs.ts";
import { SqlStore, type Verb } from "../sql/sql-store.ts";
import { TaskPacks } from "../sql/task-packs.ts";
import type { Transaction } from "../sql/transaction.ts";
import { readQuotas } from "../sql/verbs/quotas.ts";
import { countUsage, UsageLedger } from "../sql/usage-ledger.ts";
import type { JobId } from "../../../shared/ids.ts";
import { LocalClaims } from "./claims.ts";
import type { SqliteDatabase } from "./database.ts";
import type { EmbeddedStore } from "./embedded-store.ts";
import { storeError } from "./failure.ts";
import { giveBack } from "./give-back.ts";
import { GroupCommit } from "./group-commit.ts";

/** Space is given back with an eighth of the time: 120 MiB take less than a minute. */
const giveBackGapMs = 20;
/** Pages by which the file is cut at once, 16 MiB: a file system takes long over more. */
const pagesPerCut = 4096;

/**
 * The Store on one SQLite connection, which owns its database. Made by `openSqliteStore` and `openMemoryStore`.
 *
 * Measured by `npm run bench -- store`: 10^6 tasks pass through all verbs at 650,000/s on a RAM disk, in batches of 500.
 */
export class SqliteStore extends SqlStore implements EmbeddedStore {
  protected readonly parts: Transaction;
  readonly #db: SqliteDatabase;
  readonly #group: GroupCommit;
  #closing: Promise<void> | undefined;
  #isGivingBack = false;

  constructor(
    db: SqliteDatabase,
    options: {
      clock: () => number;
      markEvery: number;
      quotas: Quotas;
      onDamage?: ((found: Damage) => void) | undefined;
    },
  ) {
    super();
    const effects: (() => void)[] = [];
    const afterCommit = (effect: () => void) => effects.push(effect);
    const { clock, markEvery, quotas, onDamage = () => {} } = options;
    const tasks = new TaskPacks(db);
    const usage = new UsageLedger(quotas, finish(countUsage(db)), finish(readQuotas(db)));
    const ended = new EndedSets(db, markEvery);
    const provisional = new ProvisionalPacks(db, ended, onDamage);
    const parts: Transaction = {
      db,
      jobs: new JobCache(db, usage),
      tasks,
      outcomes: new OutcomePacks(db),
      provisional,
      ended,
      usage,
      claims: new LocalClaims(provisional, afterCommit),
      feed: (id) => this.feeder.wake(id),
      reopened: new Set(),
      blobUsage: undefined,
      dependents: () => {},
      damaged: onDamage,
      afterCommit,
      clock,
    };
    this.#db = db;
    this.parts = parts;
    this.#group = new GroupCommit(db, {
      changes: () => parts.jobs.changes,
      beforeCommit: () => {
        parts.tasks.flush();
        parts.outcomes.flush();
        parts.provisional.flush();
        parts.ended.flush();
        parts.jobs.writeChanges();
      },
      committed: () => {
        parts.reopened.clear();
        usage.committed();
        for (const effect of effects.splice(0)) effect();
      },
      rolledBack: () => {
        parts.reopened.clear();
        effects.length = 0;
        usage.rolledBack();
        parts.jobs.clear();
        parts.tasks.clear();
        parts.outcomes.clear();
        parts.provisional.clear();
        parts.ended.clear();
      },
    });
    // After any failure the next start resumes the sweep.
    this.sweepForgotten().catch(() => {});
    void this.#giveBack();
  }

  async check() {
    this.#mustBeOpen();
    await this.#group.write(() => {
      const row = finish(this.#db.get<{ user_version: number }>("PRAGMA user_version"));
      // Writes the first page unchanged.
      this.#db.exec(`PRAGMA user_version = ${row?.user_version ?? 0}`);
    });
  }

  async backup(file: string, onProgress: (share: number) => void = () => {}) {
    this.#mustBeOpen();
    const release = this.#group.hold();
    try {
      await this.#db.backup(file, (share) => {
        this.#group.letThrough();
        onProgress(share);
      });
    } catch (error) {
      // The file may be on another disk than the store.
      const said = messageOf(error);
      throw new PlatformError("FILE_FAILED", `The copy ${file} cannot be written: ${said}.`, error);
    } finally {
      release();
    }
  }

  close() {
    this.feeder.close();
    this.#closing ??= this.#group.drained().then(() => this.#db.close());
    return this.#closing;
  }

  protected async write<T>(verb: Verb<T>, _job?: JobId, rows = 1): Promise<T> {
    this.#mustBeOpen();
    return this.#group.write(() => finish(verb(this.parts)), rows);
  }

  /** Runs a verb at once: between transactions the database and the caches hold exactly the committed state. */
  protected async read<T>(verb: Verb<T>): Promise<T> {
    this.#mustBeOpen();
    try {
      return finish(verb(this.parts));
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Claims are in memory, so that changing them needs no commit. */
  protected claiming<T>(verb: Verb<T>): Promise<T> {
    return this.read(verb);
  }

  protected override async sweep(number: number): Promise<void> {
    await super.sweep(number);
    void this.#giveBack();
  }

  /** Gives free space back in the background, as long as there is much of it. */
  async #giveBack(): Promise<void> {
    if (this.#isGivingBack) return;
    this.#isGivingBack = true;
    try {
      let freed = 0;
      for (let more = true; more;) {
        this.#mustBeOpen();
        const stride = await this.#group.write(() => giveBack(this.#db));
        ({ more } = stride);
        freed += stride.freed;
        if (freed > 0 && (!more || freed >= pagesPerCut)) {
          this.#mustBeOpen();
          // The checkpoint cuts the file.
          this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
          freed = 0;
        }
        if (more) await sleep(giveBackGapMs);
      }
    } catch {
      // Space is given back after the next deletion, or the next start.
    } finally {
      this.#isGivingBack = false;
    }
  }

  #mustBeOpen(): void {
    if (this.#closing)
      throw new PlatformError("SHUTTING_DOWN", "The store is closed: the server is going down.");
  }
}
