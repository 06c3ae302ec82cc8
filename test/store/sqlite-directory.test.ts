import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PlatformError } from "../../shared/errors.ts";
import { databaseName, openSqliteStore } from "../../server/store/sqlite/open.ts";
import { jobId, newJob, postKernel, tasks } from "../contract/store-fixtures.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "manyhands-directory-"));
});
afterEach(() => rm(directory, { recursive: true }));

const path = () => join(directory, databaseName);

async function refusal(at = directory): Promise<string> {
  const opened = await openSqliteStore(at).catch((error: unknown) => error);
  expect(opened).toBeInstanceOf(PlatformError);
  const { code, message } = opened as PlatformError;
  expect(code).toBe("DATA_DIRECTORY");
  return message;
}

/** Opens the directory in another process; `said` is its first line, empty when the process could not even start. */
function openElsewhere(rights: { uid?: number; gid?: number } = {}) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "open-once.ts"), directory], {
    stdio: ["pipe", "pipe", "inherit"],
    ...rights,
  });
  const closed = once(child, "close");
  const firstLine = once(child.stdout, "data").then(([data]) => String(data).trim());
  return { child, closed, said: Promise.race([firstLine, closed.then(() => "")]) };
}

/** Root may write anywhere, so a test of missing rights runs as nobody, who must be able to read the program. */
const unprivileged = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

async function canRunUnprivileged(): Promise<boolean> {
  await chmod(directory, 0o777);
  const { child, said, closed } = openElsewhere(unprivileged);
  const ran = (await said) === "open";
  child.stdin.end();
  await closed;
  return ran;
}

describe("[DUR-4] a data directory that cannot be used is refused in plain words", () => {
  it("makes a directory that is not there", async () => {
    const store = await openSqliteStore(join(directory, "a", "b"));
    await postKernel(store);
    await store.createJob(newJob());
    await store.close();
  });

  it("refuses a second server, in this process and in another", async () => {
    const first = await openSqliteStore(directory);
    expect(await refusal()).toMatch(/Another Manyhands server is using/);
    const second = openElsewhere();
    expect(await second.said).toMatch(/^DATA_DIRECTORY Another Manyhands server is using/);
    await second.closed;
    await postKernel(first);
    await first.createJob(newJob());
    await first.close();
  });

  it("is free again after the other server was killed", async () => {
    const other = openElsewhere();
    expect(await other.said).toBe("open");
    expect(await refusal()).toMatch(/Another Manyhands server is using/);
    other.child.kill("SIGKILL");
    await other.closed;
    await (await openSqliteStore(directory)).close();
  });

  it("refuses a directory of a newer version, and leaves it as it is", async () => {
    const store = await openSqliteStore(directory);
    await postKernel(store);
    await store.createJob(newJob());
    await store.close();
    const database = new DatabaseSync(path());
    database.exec("PRAGMA user_version = 999");
    database.close();
    const before = await readFile(path());
    expect(await refusal()).toMatch(/schema version 999.*newer Manyhands.*up to 11/);
    expect((await readFile(path())).equals(before)).toBe(true);
  });

  it("refuses the database of another program", async () => {
    const database = new DatabaseSync(path());
    database.exec("CREATE TABLE recipes (name TEXT)");
    database.close();
    expect(await refusal()).toMatch(/made by another program/);
  });

  it("refuses a file that is no database", async () => {
    await writeFile(path(), "Dear diary, today I was not a database. ".repeat(200));
    expect(await refusal()).toMatch(/is not a database/);
  });

  it("refuses a database that was cut off", async () => {
    const store = await openSqliteStore(directory);
    await postKernel(store);
    await store.createJob(newJob());
    await store.submit(jobId(1), tasks(0, 5000));
    await store.close();
    await truncate(path(), 6000);
    expect(await refusal()).toMatch(/damaged|not a database/);
  });

  it("refuses a path that is a file", async () => {
    await writeFile(join(directory, "file"), "");
    expect(await refusal(join(directory, "file"))).toMatch(/cannot be used: .*EEXIST/);
  });

  it("refuses a directory that it may not write", async ({ skip }) => {
    if (!(await canRunUnprivileged())) skip("the program is not readable for other users");
    await rm(path());
    await chmod(directory, 0o555);
    const child = openElsewhere(unprivileged);
    expect(await child.said).toMatch(/^DATA_DIRECTORY The data directory .* cannot be written/);
    await child.closed;
    await chmod(directory, 0o755);
  });

  it("refuses a database file that it may not write", async ({ skip }) => {
    if (!(await canRunUnprivileged())) skip("the program is not readable for other users");
    await chmod(path(), 0o444);
    const child = openElsewhere(unprivileged);
    expect(await child.said).toMatch(/^DATA_DIRECTORY The data directory .* cannot be written/);
    await child.closed;
  });
});
