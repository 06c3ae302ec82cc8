import { createStore, del, set, type UseStore } from "idb-keyval";

/** The page's IndexedDB stores, each in a database of its own as idb-keyval requires. */
export interface Stores {
  readonly blobs: UseStore;
  /** Size and time of last use of each blob. */
  readonly index: UseStore;
  readonly outbox: UseStore;
  readonly state: UseStore;
}

const probeMs = 3_000;

/**
 * Opens the stores. Undefined where the browser keeps no data (private windows, blocked site data, broken profile): the page then works
 * in memory.
 */
export async function openStores(): Promise<Stores | undefined> {
  try {
    const stores: Stores = {
      blobs: createStore("manyhands-blobs", "blobs"),
      index: createStore("manyhands-blob-index", "index"),
      outbox: createStore("manyhands-outbox", "outbox"),
      state: createStore("manyhands-state", "state"),
    };
    // Browsers may fail only on the first write, or never answer.
    await within(probeMs, set("probe", 1, stores.state));
    await del("probe", stores.state);
    return stores;
  } catch {
    return undefined;
  }
}

function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`IndexedDB did not answer within ${ms} ms`)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
