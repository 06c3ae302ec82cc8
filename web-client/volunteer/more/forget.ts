/** Databases that the page keeps (web-client/client/stores.ts). */
const databases = ["manyhands-blobs", "manyhands-blob-index", "manyhands-outbox", "manyhands-state"];
/** A deletion waits for connections of other tabs, which may stay open. */
const waitMs = 3_000;

/** Forgets everything that this browser keeps for this page: identity, cached data, undelivered results, settings and history. */
export async function forgetAll(): Promise<void> {
  for (const store of [() => localStorage, () => sessionStorage])
    try {
      for (const name of Object.keys(store()))
        if (name.startsWith("manyhands.") || name === "client") store().removeItem(name);
    } catch {
      // Where site data is blocked, nothing is kept.
    }
  await Promise.race([
    Promise.all(databases.map(removeDatabase)),
    new Promise((resolve) => setTimeout(resolve, waitMs)),
  ]);
}

/** Empties the database, because a connection of this page or of another tab may hold up its deletion, and deletes it. */
async function removeDatabase(name: string): Promise<void> {
  await empty(name).catch(() => undefined);
  await settled(indexedDB.deleteDatabase(name));
}

async function empty(name: string): Promise<void> {
  const opening = indexedDB.open(name);
  await settled(opening);
  const database = opening.result;
  for (const store of database.objectStoreNames) {
    const transaction = database.transaction(store, "readwrite");
    await settled(transaction.objectStore(store).clear());
  }
  database.close();
}

function settled(request: IDBRequest): Promise<void> {
  return new Promise((resolve) => {
    request.addEventListener("success", () => resolve());
    request.addEventListener("error", () => resolve());
  });
}
