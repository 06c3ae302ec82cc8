import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBlobDirectory } from "../../server/blobs/blob-store.ts";
import { openPostgresStore } from "../../server/store/postgres/open.ts";
import { translate } from "../../server/store/postgres/translate.ts";
import { Upkeep } from "../../server/upkeep/upkeep.ts";
import { temporaryDirectory } from "../support/processes.ts";
import { damageContract } from "../contract/store-damage.ts";
import { storeContract } from "../contract/store.ts";
import { hasPostgres, Postgres, whyNoPostgres } from "../support/postgres.ts";

describe.runIf(hasPostgres)(`with PostgreSQL installed${whyNoPostgres}`, () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.start();
  }, 60_000);
  afterAll(() => postgres.stop());

  storeContract("PostgreSQL", {
    durable: true,
    open: async (options) => {
      const url = await postgres.newSchema();
      const open = () => openPostgresStore(url, options);
      let store = await open();
      return {
        store,
        reopen: async () => {
          await store.close();
          store = await open();
          return store;
        },
      };
    },
  });

  damageContract("PostgreSQL", async () => {
    const schema = await postgres.makeSchema();
    return {
      open: (onDamage) => openPostgresStore(postgres.url(schema), { markEvery: 4, onDamage }),
      run: (sql) => postgres.change(translate(sql), schema),
      changed: (column) => `${column} = substr(${column}, 2) || '\\x00'::bytea`,
    };
  });

  it("[BACKUP-5] a backup is refused with a word on pg_dump", async () => {
    const store = await openPostgresStore(await postgres.newSchema());
    const root = await temporaryDirectory();
    const blobs = openBlobDirectory(join(root, "blobs"), { quotaBytes: 1e9, keepMs: 1e9, store });
    const upkeep = new Upkeep({ store, blobs, dataDirectory: root, damagedRecords: () => 0 });
    await expect(upkeep.backUp(join(root, "backup"), {})).rejects.toMatchObject({
      code: "WRONG_STATE",
      message: expect.stringMatching(/pg_dump/) as string,
    });
    await blobs.close();
    await store.close();
  });
});
