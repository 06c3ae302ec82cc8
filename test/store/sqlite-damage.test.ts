import { copyFile, mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { databaseName, openSqliteStore } from "../../server/store/sqlite/open.ts";
import { PlatformError } from "../../shared/errors.ts";
import { seededRandom } from "../../shared/random.ts";
import type { Store } from "../../server/store/store.ts";
import { damageContract } from "../contract/store-damage.ts";
import { done, inputOf, jobId, newJob, outputOf, postKernel, tasks } from "../contract/store-fixtures.ts";

const newDirectory = () => mkdtemp(join(tmpdir(), "manyhands-damage-"));

damageContract("SQLite", async () => {
  const directory = await newDirectory();
  return {
    open: (onDamage) => openSqliteStore(directory, { markEvery: 4, onDamage }),
    run: async (sql) => {
      const database = new DatabaseSync(join(directory, databaseName));
      const { changes } = database.prepare(sql).run();
      database.close();
      return Number(changes);
    },
    changed: (column) => `${column} = unhex(substr(hex(${column}), 3) || '00')`,
    remove: () => rm(directory, { recursive: true }),
  };
});

describe("[ROT-1] changed bytes of the database's file", () => {
  const id = jobId(1);
  let directory: string;
  let store: Store;

  beforeEach(async () => {
    directory = await newDirectory();
    await start();
    await postKernel(store);
    await store.createJob(newJob());
  });
  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });

  async function start(): Promise<void> {
    store = await openSqliteStore(directory, { markEvery: 4 });
  }

  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, k) => from + k);

  it("are no other value, wherever they are", async () => {
    await store.submit(id, tasks(0, 300));
    await store.submit(id, tasks(300, 400));
    await store.claim(id, 200);
    for (let at = 0; at < 200; at += 20) await store.complete(id, range(at, at + 20).map(done));
    await store.close();
    const path = join(directory, databaseName);
    const sound = join(directory, "sound");
    await copyFile(path, sound);
    const { size } = await stat(sound);
    const found = { changed: 0, values: 0, refused: 0 };
    for (let seed = 1; seed <= 250; seed++) {
      const random = seededRandom(`damage ${seed}`);
      await copyFile(sound, path);
      const file = await open(path, "r+");
      for (let times = 0; times < 11; times++)
        await file.write(Uint8Array.of(random() * 256), 0, 1, Math.floor(random() * size));
      await file.close();
      found.changed++;
      await start().then(
        async () => {
          for (const row of await tryTo(() => store.results(id, 0, 1_000, Infinity), found))
            if (row.state === "done") {
              expect(row, `seed ${seed}`).toMatchObject({ seq: row.index + 1, output: outputOf(row.index) });
              found.values++;
            }
          for (const { index, input, isDamaged } of await tryTo(() => store.claim(id, 1000), found))
            if (!isDamaged) expect(input, `seed ${seed}`).toEqual(inputOf(index));
          await store.close();
        },
        (error: unknown) => {
          expect(PlatformError.from(error).code, `seed ${seed}`).toBe("DATA_DIRECTORY");
          found.refused++;
        },
      );
    }
    expect(found).toMatchObject({ changed: 250 });
    expect(found.values).toBeGreaterThan(1000);
    expect(found.refused).toBeGreaterThan(10);
  });
});

/** The answer of a verb, nothing when the verb refuses: any error is better than another value. */
async function tryTo<T>(verb: () => Promise<T[]>, found: { refused: number }): Promise<T[]> {
  try {
    return await verb();
  } catch (error) {
    expect(error).toBeInstanceOf(PlatformError);
    found.refused++;
    return [];
  }
}
