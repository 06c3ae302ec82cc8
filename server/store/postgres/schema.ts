import { PlatformError } from "../../../shared/errors.ts";
import type { Connection } from "./connection.ts";
import { setTimeout as wait } from "node:timers/promises";
import { fencedState, isPassing } from "./failure.ts";

/** Class of the advisory lock of servers that migrate, with the schema as the second key. */
const migrationLock = 0x4d48_0000;

const oldestVersion = 150_000;

/**
 * Every schema version, oldest first; entry n migrates a database from version n to n + 1. Append, never edit.
 *
 * Tables of the same name are those of SQLite. `jobs.version` grows with every commit that changed the job, so that a server knows
 * whether what it remembers of the job still holds; `reopenings` grows when outcomes were removed. Rows of `jobs` leave room in
 * their pages, because every commit writes some again.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE jobs (
    number         BIGSERIAL PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    customer       TEXT NOT NULL,
    key            TEXT,
    kernel         BYTEA NOT NULL,
    kernelSize     BIGINT NOT NULL,
    options        TEXT NOT NULL,
    priority       INTEGER NOT NULL,
    createdAt      BIGINT NOT NULL,
    state          TEXT NOT NULL DEFAULT 'open',
    paused         INTEGER NOT NULL DEFAULT 0,
    total          BIGINT NOT NULL DEFAULT 0,
    done           BIGINT NOT NULL DEFAULT 0,
    failed         BIGINT NOT NULL DEFAULT 0,
    lastSeq        BIGINT NOT NULL DEFAULT 0,
    endedAt        BIGINT,
    reason         TEXT,
    lowWater       BIGINT NOT NULL DEFAULT 0,
    jobGroup       TEXT,
    blockedOpen    INTEGER NOT NULL DEFAULT 0,
    submittedAt    BIGINT NOT NULL DEFAULT 0,
    inputBytes     BIGINT NOT NULL DEFAULT 0,
    outputBytes    BIGINT NOT NULL DEFAULT 0,
    provisional    BIGINT NOT NULL DEFAULT 0,
    statement      TEXT,
    changedOptions TEXT,
    version        BIGINT NOT NULL DEFAULT 0,
    reopenings     BIGINT NOT NULL DEFAULT 0
  ) WITH (fillfactor = 50);
  CREATE UNIQUE INDEX jobs_key ON jobs (customer, key) WHERE key IS NOT NULL;
  CREATE INDEX jobs_active ON jobs (number) WHERE state IN ('open', 'closed');
  CREATE INDEX jobs_group ON jobs (jobGroup) WHERE jobGroup IS NOT NULL;
  CREATE INDEX jobs_kernel ON jobs (kernel);

  -- The name among the options; a name that PostgreSQL cannot hold is not found by a search.
  CREATE FUNCTION "jobName" (options TEXT) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN RETURN options::json ->> 'name'; EXCEPTION WHEN data_exception THEN RETURN ''; END $$;

  CREATE TABLE forgottenJobs (number BIGINT PRIMARY KEY, customer TEXT);

  CREATE TABLE taskPacks (
    number  BIGSERIAL PRIMARY KEY,
    job     BIGINT NOT NULL,
    first   BIGINT NOT NULL,
    count   INTEGER NOT NULL,
    sizes   BYTEA,
    side    TEXT,
    inputs  BYTEA NOT NULL,
    crc     BIGINT,
    headCrc BIGINT,
    UNIQUE (job, first)
  );

  CREATE TABLE outcomePacks (
    number  BIGSERIAL PRIMARY KEY,
    job     BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    count   INTEGER NOT NULL,
    first   BIGINT NOT NULL,
    runs    BYTEA,
    failure TEXT,
    sizes   BYTEA,
    side    TEXT,
    outputs BYTEA,
    crc     BIGINT,
    headCrc BIGINT,
    UNIQUE (job, seq)
  );
  CREATE INDEX outcomePacks_failed ON outcomePacks (job, seq) WHERE failure IS NOT NULL;

  CREATE TABLE provisionalPacks (
    number  BIGSERIAL PRIMARY KEY,
    job     BIGINT NOT NULL,
    window  BIGINT NOT NULL,
    client  TEXT NOT NULL,
    cohort  TEXT NOT NULL,
    at      BIGINT NOT NULL,
    count   INTEGER NOT NULL,
    first   BIGINT NOT NULL,
    runs    BYTEA,
    sizes   BYTEA,
    side    TEXT,
    outputs BYTEA NOT NULL,
    crc     BIGINT,
    headCrc BIGINT
  );
  CREATE INDEX provisionalPacks_window ON provisionalPacks (job, window);

  -- Values have their own page storage beside the row, so that a reader of indexes reads few bytes. Outputs of kernels are mostly
  -- binary: trying to compress them costs more than it saves.
  ALTER TABLE taskPacks ALTER inputs SET STORAGE EXTERNAL;
  ALTER TABLE outcomePacks ALTER outputs SET STORAGE EXTERNAL;
  ALTER TABLE provisionalPacks ALTER outputs SET STORAGE EXTERNAL;

  CREATE TABLE endedSets (job BIGINT PRIMARY KEY, lastSeq BIGINT NOT NULL, tasks BYTEA NOT NULL, crc BIGINT);
  CREATE TABLE attempts (job BIGINT, idx BIGINT, attempts INTEGER NOT NULL, PRIMARY KEY (job, idx));
  CREATE TABLE checkpoints (
    job BIGINT, idx BIGINT, state BYTEA NOT NULL, client TEXT, cohort TEXT, crc BIGINT, PRIMARY KEY (job, idx)
  );
  CREATE TABLE waits (job BIGINT, after BIGINT, PRIMARY KEY (job, after));
  CREATE INDEX waits_after ON waits (after);
  CREATE TABLE feeds (job BIGINT PRIMARY KEY, source BIGINT NOT NULL, seq BIGINT NOT NULL);
  CREATE INDEX feeds_source ON feeds (source);
  CREATE TABLE inputless (job BIGINT, idx BIGINT, seq BIGINT NOT NULL, PRIMARY KEY (job, idx));

  CREATE TABLE kernels (
    sha256 BYTEA PRIMARY KEY, size BIGINT NOT NULL, source BYTEA NOT NULL, touchedAt BIGINT NOT NULL, rowid BIGSERIAL
  );
  CREATE TABLE kernelOwners (sha256 BYTEA, customer TEXT, PRIMARY KEY (sha256, customer));
  CREATE TABLE blobs (sha256 BYTEA PRIMARY KEY, size BIGINT NOT NULL, touchedAt BIGINT NOT NULL);
  CREATE INDEX blobs_touched ON blobs (touchedAt);
  CREATE TABLE blobRefs (job BIGINT, sha256 BYTEA, PRIMARY KEY (job, sha256));
  CREATE INDEX blobRefs_sha256 ON blobRefs (sha256);
  CREATE TABLE blobOwners (
    sha256 BYTEA, kind TEXT, name TEXT, size BIGINT NOT NULL, put INTEGER NOT NULL, refs BIGINT NOT NULL,
    PRIMARY KEY (sha256, kind, name)
  );

  CREATE TABLE tokens (
    id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, role TEXT NOT NULL, name TEXT NOT NULL, createdAt BIGINT NOT NULL,
    expiresAt BIGINT, lastUsedAt BIGINT
  );
  CREATE TABLE bans (subject TEXT PRIMARY KEY, reason TEXT NOT NULL, at BIGINT NOT NULL);
  CREATE TABLE standings (subject TEXT PRIMARY KEY, clean BIGINT NOT NULL, burnt INTEGER NOT NULL, at BIGINT NOT NULL);

  -- What each customer keeps, counted by every commit.
  CREATE TABLE usage (
    customer    TEXT PRIMARY KEY,
    inputBytes  BIGINT NOT NULL,
    outputBytes BIGINT NOT NULL,
    blobBytes   BIGINT NOT NULL,
    kernelBytes BIGINT NOT NULL,
    jobs        BIGINT NOT NULL,
    kernels     BIGINT NOT NULL,
    openTasks   BIGINT NOT NULL
  ) WITH (fillfactor = 50);

  -- The servers. A server that did not move the end of its life in time may be buried by another: then it is dead for good, and
  -- comes back as a new one.
  CREATE SEQUENCE epochs;
  CREATE TABLE servers (
    epoch   BIGINT PRIMARY KEY DEFAULT nextval('epochs'),
    name    TEXT NOT NULL,
    urls    TEXT NOT NULL,
    since   TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    expires TIMESTAMPTZ NOT NULL,
    buried  BOOLEAN NOT NULL DEFAULT false,
    -- Number of the server's last commit, for a server that got no reply.
    lastCommit BIGINT NOT NULL DEFAULT 0
  ) WITH (fillfactor = 50);

  -- The tasks of a job that a server has claimed. Epoch 0: tasks that their provisional results keep claimed; epoch -1: the tasks
  -- that were given back below the cursor of the walk.
  CREATE TABLE claims (
    job BIGINT, epoch BIGINT, cursor BIGINT NOT NULL DEFAULT 0, tasks BYTEA NOT NULL, PRIMARY KEY (job, epoch)
  ) WITH (fillfactor = 50);
  CREATE INDEX claims_epoch ON claims (epoch);

  -- How often tokens and bans changed.
  CREATE TABLE changes (kind TEXT PRIMARY KEY, count BIGINT NOT NULL);
  INSERT INTO changes VALUES ('tokens', 0), ('bans', 0);

  -- Notes the commit of a server, or fails the transaction when the server was declared dead.
  CREATE FUNCTION fence (server BIGINT, number BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
    BEGIN
      UPDATE servers SET lastCommit = number WHERE epoch = server AND NOT buried;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'server % was declared dead', server USING ERRCODE = '${fencedState}';
      END IF;
    END $$;
  `,
  `
  -- Keys that all servers share, and sign-ins of browsers.
  CREATE TABLE secrets (name TEXT PRIMARY KEY, value BYTEA NOT NULL);
  CREATE TABLE signIns (id TEXT PRIMARY KEY, token TEXT NOT NULL, expiresAt BIGINT NOT NULL);

  -- Figures that a server publishes.
  ALTER TABLE servers ADD COLUMN about TEXT NOT NULL DEFAULT '';
  `,
  `
  CREATE INDEX jobs_name ON jobs (lower("jobName"(options) COLLATE "C"), number);
  CREATE INDEX jobs_customer ON jobs (lower(customer COLLATE "C"), number);
  CREATE INDEX jobs_priority ON jobs (priority, number);
  CREATE INDEX jobs_failed ON jobs (failed, number);
  CREATE INDEX jobs_ended ON jobs (coalesce(endedAt, 0), number);

  CREATE TABLE attachments (
    job BIGINT, name TEXT COLLATE "C", type TEXT NOT NULL, size BIGINT NOT NULL, at BIGINT NOT NULL, content BYTEA NOT NULL,
    PRIMARY KEY (job, name)
  );
  ALTER TABLE attachments ALTER content SET STORAGE EXTERNAL;
  CREATE TABLE jobCosts (
    job BIGINT PRIMARY KEY, computedMs BIGINT NOT NULL, attempts BIGINT NOT NULL, slowest TEXT NOT NULL
  );
  ALTER TABLE tokens ADD COLUMN maxClients BIGINT;
  CREATE TABLE auditLog (
    number BIGSERIAL PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, token TEXT NOT NULL, action TEXT NOT NULL,
    subject TEXT NOT NULL, detail TEXT NOT NULL, refusal TEXT
  );
  `,
  `
  -- Figures of the last day, one row a minute and server.
  CREATE TABLE samples (
    minute BIGINT NOT NULL,
    server TEXT NOT NULL,
    figures TEXT NOT NULL,
    PRIMARY KEY (minute, server)
  );
  `,
  `
  -- Bounds of a customer's own; NULL: the server's.
  CREATE TABLE quotas (customer TEXT PRIMARY KEY, bytes BIGINT, jobs BIGINT, kernels BIGINT, openTasks BIGINT);
  INSERT INTO changes VALUES ('quotas', 0);
  `,
];

/** The schema version this build writes. */
export const schemaVersion = migrations.length;

/** Tries of a migration that crosses transactions of running servers. */
const maxTries = 10;

/**
 * Migrates the database to {@link schemaVersion}; of several servers that start at once one does. Running servers are of an earlier
 * version when there is something to migrate: they are declared dead with it, so that nothing that they write counts.
 * @param later - migrations of a later version, for tests
 * @throws PlatformError DATA_DIRECTORY when a newer build migrated the database, or the database cannot hold the schema
 */
export async function migrate(connection: Connection, later: readonly string[] = []): Promise<void> {
  await mustBeFit(connection);
  for (let tries = 1; ; tries++) {
    try {
      return await migrateOnce(connection, [...migrations, ...later]);
    } catch (error) {
      // A server that commits meanwhile may wait for the migration, which waits for that server's locks.
      if (!isPassing(error) || tries === maxTries) throw error;
      await wait(Math.random() * 100 * tries);
    }
  }
}

async function migrateOnce(connection: Connection, all: readonly string[]): Promise<void> {
  await connection.script("BEGIN");
  try {
    await connection.script(`SELECT pg_advisory_xact_lock(${migrationLock}, hashtext(current_schema()))`);
    await connection.script("CREATE TABLE IF NOT EXISTS manyhands (version INTEGER NOT NULL)");
    const [row] = await connection.query<{ version: number }>("SELECT version FROM manyhands");
    const version = row?.version ?? 0;
    if (version > all.length) throw newerSchema(version);
    if (version > 0 && version < all.length) {
      // No server registers again before the new version is there to be seen.
      await connection.script("LOCK TABLE servers IN EXCLUSIVE MODE");
      await connection.script("UPDATE servers SET buried = true, expires = clock_timestamp()");
    }
    for (const migration of all.slice(version)) await connection.script(migration);
    if (version < all.length) {
      await connection.script("DELETE FROM manyhands");
      await connection.script(`INSERT INTO manyhands VALUES (${all.length})`);
    }
    await connection.script("COMMIT");
  } catch (error) {
    if (!connection.isLost) await connection.script("ROLLBACK");
    throw error;
  }
}

/** The refusal of a database that a newer build migrated. */
export function newerSchema(version: number): PlatformError {
  return new PlatformError(
    "DATA_DIRECTORY",
    `The database has schema version ${version}, made by a newer Manyhands; this one knows versions up to ${schemaVersion}. Start the newer Manyhands, or choose another database.`,
  );
}

async function mustBeFit(connection: Connection): Promise<void> {
  const [server] = await connection.query<{ version: number; encoding: string; schema: string | null }>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding,
       current_schema() AS schema`,
  );
  const { version, encoding, schema } = server!;
  const wrong =
    version < oldestVersion
      ? `is PostgreSQL ${Math.floor(version / 10_000)}; expected 15 or later`
      : encoding !== "UTF8"
        ? `has the encoding ${encoding}; expected UTF8`
        : schema === null
          ? "has no schema to make tables in; expected one that the search path names"
          : undefined;
  if (wrong !== undefined) throw new PlatformError("DATA_DIRECTORY", `The database ${wrong}.`);
}
