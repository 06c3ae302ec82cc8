import { afterAll, beforeAll, describe } from "vitest";
import { openPostgresStore } from "../../server/store/postgres/open.ts";
import { storeContract } from "../contract/store.ts";
import { hasPostgres, Postgres } from "../support/postgres.ts";

describe.runIf(hasPostgres)("with PostgreSQL installed", () => {
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
});
