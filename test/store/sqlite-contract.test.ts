import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { openMemoryStore, openSqliteStore } from "../../server/store/sqlite/open.ts";
import { storeContract } from "../contract/store.ts";

const directories: string[] = [];
afterAll(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true }))));

for (const markEvery of [1, 4096])
  storeContract(`SQLite on disk, low-water mark every ${markEvery} outcomes`, {
    durable: true,
    open: async (options) => {
      const directory = await mkdtemp(join(tmpdir(), "manyhands-store-"));
      directories.push(directory);
      const open = () => openSqliteStore(directory, { ...options, markEvery });
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

storeContract("SQLite in memory", {
  durable: false,
  open: async (options) => ({ store: await openMemoryStore(options), reopen: undefined }),
});
