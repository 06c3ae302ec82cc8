import type { SqliteDatabase } from "./database.ts";
import { PlatformError } from "../../../shared/errors.ts";
import { finish } from "../sql/database.ts";
import { packRows } from "./pack-rows.ts";

/** "MHNDS" cut to 32 bits: distinguishes this database from any other SQLite file. */
const applicationId = 0x4d484e44;

type Migration = string | ((db: SqliteDatabase) => void);

/**
 * Tasks and outcomes since version 3. A pack holds the rows that the verbs of one transaction wrote for one job: consecutive tasks, or
 * outputs with consecutive sequence numbers; at most 1,024 values and 256 KiB, or one larger value. A failure is an outcome
 * with a row of its own, because requeueing removes it. `first` is the first task's index; `runs` has the indexes of outputs
 * that are not one run. The columns for readers of indexes come before the values, in the row's own page.
 *
 * The state of a task follows from two rows: its pack (it was submitted) and its outcome's (it ended). No row says "queued" or
 * "cancelled", so cancelling a job of 10^6 tasks writes one row. EndedSets ensures that a task has one outcome, and `endedSets`
 * lets it start quickly.
 *
 * Packs cost 2.5-3.3 µs of processor time a task in verbs of 500; a row in a b-tree costs 1-2 µs however small it is.
 */
const packTables = `
  CREATE TABLE taskPacks (
    number INTEGER PRIMARY KEY,
    job    INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    sizes  BLOB,
    side   TEXT,
    inputs BLOB NOT NULL,
    UNIQUE (job, first)
  ) STRICT;

  CREATE TABLE outcomePacks (
    number  INTEGER PRIMARY KEY,
    job     INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    runs    BLOB,
    failure TEXT,
    sizes   BLOB,
    side    TEXT,
    outputs BLOB,
    UNIQUE (job, seq)
  ) STRICT;
  CREATE INDEX outcomePacks_failed ON outcomePacks (job, seq) WHERE failure IS NOT NULL;

  CREATE TABLE endedSets (
    job     INTEGER PRIMARY KEY,
    lastSeq INTEGER NOT NULL,
    tasks   BLOB NOT NULL
  ) STRICT;
`;

/**
 * Every schema version, oldest first; entry n migrates a database from version n to n + 1. Append, never edit.
 *
 * The first version has a row for each task in `tasks` and for each outcome in `outcomes`; UNIQUE (job, idx) ensures that a
 * task has one outcome. `input` and `output` are ANY: a BLOB is the encoded value itself, a TEXT names the blob that holds it.
 */
const migrations: readonly Migration[] = [
  `
  CREATE TABLE jobs (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    customer   TEXT NOT NULL,
    key        TEXT,
    kernel     BLOB NOT NULL,
    kernelSize INTEGER NOT NULL,
    options    TEXT NOT NULL,
    priority   INTEGER NOT NULL,
    createdAt  INTEGER NOT NULL,
    state      TEXT NOT NULL DEFAULT 'open',
    paused     INTEGER NOT NULL DEFAULT 0,
    total      INTEGER NOT NULL DEFAULT 0,
    done       INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    lastSeq    INTEGER NOT NULL DEFAULT 0,
    endedAt    INTEGER,
    reason     TEXT,
    -- Every task below has an outcome: where to look for open tasks after a restart.
    lowWater   INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE UNIQUE INDEX jobs_key ON jobs (customer, key) WHERE key IS NOT NULL;
  CREATE INDEX jobs_active ON jobs (number) WHERE state IN ('open', 'closed');

  -- Jobs that were forgotten and whose rows are still being removed.
  CREATE TABLE forgottenJobs (number INTEGER PRIMARY KEY) STRICT;

  CREATE TABLE tasks (
    job   INTEGER NOT NULL,
    idx   INTEGER NOT NULL,
    input ANY NOT NULL,
    refs  TEXT,
    PRIMARY KEY (job, idx)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE outcomes (
    job     INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    idx     INTEGER NOT NULL,
    output  ANY,
    refs    TEXT,
    failure TEXT,
    PRIMARY KEY (job, seq),
    UNIQUE (job, idx)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX outcomes_failed ON outcomes (job, seq) WHERE failure IS NOT NULL;

  CREATE TABLE attempts (
    job      INTEGER NOT NULL,
    idx      INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (job, idx)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE checkpoints (
    job   INTEGER NOT NULL,
    idx   INTEGER NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (job, idx)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE kernels (sha256 BLOB PRIMARY KEY, size INTEGER NOT NULL, source BLOB NOT NULL) STRICT;

  CREATE TABLE blobs (
    sha256    BLOB PRIMARY KEY,
    size      INTEGER NOT NULL,
    touchedAt INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blobs_touched ON blobs (touchedAt);

  CREATE TABLE blobRefs (
    job    INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (job, sha256)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blobRefs_sha256 ON blobRefs (sha256);

  CREATE TABLE tokens (
    id         TEXT PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    name       TEXT NOT NULL,
    createdAt  INTEGER NOT NULL,
    expiresAt  INTEGER,
    lastUsedAt INTEGER
  ) STRICT;

  CREATE TABLE bans (subject TEXT PRIMARY KEY, reason TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
  `,
  `
  ALTER TABLE jobs ADD COLUMN jobGroup TEXT;
  -- A job that was blocked before it had all its tasks takes more of them once it is requeued.
  ALTER TABLE jobs ADD COLUMN blockedOpen INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX jobs_group ON jobs (jobGroup) WHERE jobGroup IS NOT NULL;

  -- A job that waits for another to finish: the row goes when it does, or when the job that waits ends.
  CREATE TABLE waits (
    job  INTEGER NOT NULL,
    after INTEGER NOT NULL,
    PRIMARY KEY (job, after)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX waits_after ON waits (after);
  `,
  (db) => {
    db.exec(packTables);
    addPackChecksums(db);
    packRows(db);
  },
  // From this version on a job that blocks others keeps its row in `waits`.
  `
  ALTER TABLE jobs ADD COLUMN submittedAt INTEGER NOT NULL DEFAULT 0;
  UPDATE jobs SET submittedAt = unixepoch() * 1000 WHERE state = 'open';
  INSERT OR IGNORE INTO waits (job, after)
    SELECT jobs.number, first.number FROM jobs, json_each(jobs.options, '$.after') AS named
    JOIN jobs AS first ON first.id = named.value
    WHERE jobs.state = 'blocked' AND NOT (first.state = 'finished' AND first.failed = 0);
  `,
  // From this version on blobs and kernels have owners, and a job counts the bytes of its values. Blobs and kernels that no job refers to
  // have no owner until a customer puts them again.
  `
  ALTER TABLE jobs ADD COLUMN inputBytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE jobs ADD COLUMN outputBytes INTEGER NOT NULL DEFAULT 0;
  UPDATE jobs SET
    inputBytes = (SELECT coalesce(sum(octet_length(inputs)), 0) FROM taskPacks WHERE job = jobs.number),
    outputBytes = (SELECT coalesce(sum(coalesce(octet_length(outputs), 0) + coalesce(octet_length(failure), 0)), 0)
      FROM outcomePacks WHERE job = jobs.number);
  CREATE INDEX jobs_kernel ON jobs (kernel);

  -- The owner is a customer or a client that uploaded the blob for a result. put: the owner sent all bytes; refs: jobs of the customer
  -- that refer to the blob. size: as in blobs, so that usage is counted from this table alone.
  CREATE TABLE blobOwners (
    sha256 BLOB NOT NULL,
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,
    size   INTEGER NOT NULL,
    put    INTEGER NOT NULL,
    refs   INTEGER NOT NULL,
    PRIMARY KEY (sha256, kind, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE kernelOwners (
    sha256   BLOB NOT NULL,
    customer TEXT NOT NULL,
    PRIMARY KEY (sha256, customer)
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE kernels ADD COLUMN touchedAt INTEGER NOT NULL DEFAULT 0;
  UPDATE kernels SET touchedAt = unixepoch() * 1000;
  INSERT INTO kernelOwners SELECT DISTINCT kernel, customer FROM jobs WHERE kernel IN (SELECT sha256 FROM kernels);

  -- The row of a job names its kernel: that was a reference as well.
  DELETE FROM blobRefs WHERE sha256 NOT IN (SELECT sha256 FROM blobs) AND sha256 IN (SELECT sha256 FROM kernels);
  INSERT INTO blobOwners SELECT sha256, 'customer', customer, size, 0, count(*)
    FROM blobRefs JOIN jobs ON jobs.number = blobRefs.job JOIN blobs USING (sha256) GROUP BY sha256, customer;
  -- Of a job that is being removed: the customer whose blobs its references count to.
  ALTER TABLE forgottenJobs ADD COLUMN customer TEXT;
  `,
  // From this version on results of strangers are provisional until they are verified. Columns of packs are as in outcomePacks; a pack
  // belongs to one window.
  `
  CREATE TABLE provisionalPacks (
    number  INTEGER PRIMARY KEY,
    job     INTEGER NOT NULL,
    window  INTEGER NOT NULL,
    client  TEXT NOT NULL,
    cohort  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    runs    BLOB,
    sizes   BLOB,
    side    TEXT,
    outputs BLOB NOT NULL
  ) STRICT;
  CREATE INDEX provisionalPacks_window ON provisionalPacks (job, window);

  ALTER TABLE jobs ADD COLUMN provisional INTEGER NOT NULL DEFAULT 0;
  -- JSON; NULL while there is nothing to state.
  ALTER TABLE jobs ADD COLUMN statement TEXT;
  -- JSON of options that replace those of a job that was made with others.
  ALTER TABLE jobs ADD COLUMN changedOptions TEXT;

  -- The stranger that sent the checkpoint.
  ALTER TABLE checkpoints ADD COLUMN client TEXT;
  ALTER TABLE checkpoints ADD COLUMN cohort TEXT;

  CREATE TABLE standings (
    subject TEXT PRIMARY KEY,
    clean   INTEGER NOT NULL,
    burnt   INTEGER NOT NULL,
    at      INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // From this version on the outputs of a job can be the inputs of another.
  `
  -- A job that takes the outputs of \`source\`, which were passed on up to the sequence number \`seq\`.
  CREATE TABLE feeds (
    job    INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    seq    INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX feeds_source ON feeds (source);

  -- A task of a fed job without an input, because the source's task failed; \`seq\` is that of its own failure.
  CREATE TABLE inputless (
    job INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (job, idx)
  ) STRICT, WITHOUT ROWID;
  `,
  // From this version on stored values have checksums; rows of earlier versions have none.
  (db) => {
    addPackChecksums(db);
    db.exec(`
      ALTER TABLE provisionalPacks ADD COLUMN crc INTEGER;
      ALTER TABLE provisionalPacks ADD COLUMN headCrc INTEGER;
      ALTER TABLE checkpoints ADD COLUMN crc INTEGER;
      ALTER TABLE endedSets ADD COLUMN crc INTEGER;
    `);
  },
  // From this version on lists of jobs are sorted, jobs have attachments and costs, tokens a bound on their clients, and the actions of
  // administrators are logged.
  `
  CREATE INDEX jobs_name ON jobs (lower(json_extract(options, '$.name') COLLATE BINARY), number);
  CREATE INDEX jobs_customer ON jobs (lower(customer COLLATE BINARY), number);
  CREATE INDEX jobs_priority ON jobs (priority, number);
  CREATE INDEX jobs_failed ON jobs (failed, number);
  CREATE INDEX jobs_ended ON jobs (coalesce(endedAt, 0), number);

  CREATE TABLE attachments (
    job     INTEGER NOT NULL,
    name    TEXT NOT NULL,
    type    TEXT NOT NULL,
    size    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (job, name)
  ) STRICT;

  -- What clients spent on a job, failed and repeated attempts included; \`slowest\` is JSON.
  CREATE TABLE jobCosts (
    job        INTEGER PRIMARY KEY,
    computedMs INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    slowest    TEXT NOT NULL
  ) STRICT;

  ALTER TABLE tokens ADD COLUMN maxClients INTEGER;

  CREATE TABLE auditLog (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    token   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL,
    refusal TEXT
  ) STRICT;
  `,
  `
  -- Figures of the last day, one row a minute.
  CREATE TABLE samples (
    minute INTEGER NOT NULL,
    server TEXT NOT NULL,
    figures TEXT NOT NULL,
    PRIMARY KEY (minute, server)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Bounds of a customer's own; NULL: the server's.
  CREATE TABLE quotas (
    customer  TEXT PRIMARY KEY,
    bytes     INTEGER,
    jobs      INTEGER,
    kernels   INTEGER,
    openTasks INTEGER
  ) STRICT, WITHOUT ROWID;
  `,
];

/** Adds columns for checksums to packs, unless the packs were made from rows in this start: those have them. */
function addPackChecksums(db: SqliteDatabase): void {
  for (const table of ["taskPacks", "outcomePacks"]) {
    const columns = finish(db.all<{ name: string }>(`PRAGMA table_info(${table})`));
    if (columns.some(({ name }) => name === "crc")) continue;
    db.exec(`ALTER TABLE ${table} ADD COLUMN crc INTEGER; ALTER TABLE ${table} ADD COLUMN headCrc INTEGER`);
  }
}

/** The schema version this build writes. */
const schemaVersion = migrations.length;

/**
 * Migrates the database to {@link schemaVersion}, in one transaction for each version (`upTo` an earlier one, for tests).
 * @throws PlatformError DATA_DIRECTORY when a newer build, or another program, made the database
 */
export function migrate(db: SqliteDatabase, directory: string, upTo = schemaVersion): void {
  const pragma = (name: string) => Number(finish(db.get<Record<string, number>>(`PRAGMA ${name}`))?.[name]);
  const version = pragma("user_version");
  const owner = pragma("application_id");
  if (owner !== applicationId && (owner !== 0 || version !== 0 || hasTables(db)))
    throw new PlatformError(
      "DATA_DIRECTORY",
      `The manyhands.sqlite in ${directory} was made by another program. Expected a database of Manyhands, or none.`,
    );
  if (version > schemaVersion)
    throw new PlatformError(
      "DATA_DIRECTORY",
      `The data directory ${directory} has schema version ${version}, made by a newer Manyhands; this one knows versions up to ${schemaVersion}. Start the newer Manyhands, or choose another directory.`,
    );
  for (let next = version; next < upTo; next++) {
    const migration = migrations[next]!;
    db.exec("BEGIN IMMEDIATE");
    try {
      if (typeof migration === "string") db.exec(migration);
      else migration(db);
      db.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${next + 1}; COMMIT`);
    } catch (error) {
      if (db.inTransaction) db.exec("ROLLBACK");
      throw error;
    }
  }
}

function hasTables(db: SqliteDatabase): boolean {
  return finish(db.get("SELECT 1 FROM sqlite_schema LIMIT 1")) !== undefined;
}
