import { get, set } from "idb-keyval";
import { pageStores } from "../../client/browser-client.ts";
import { readHistory, type History } from "./history.ts";

const key = "history";

/** @returns the kept history; undefined where the browser keeps nothing */
export async function loadHistory(): Promise<History | undefined> {
  const stores = await pageStores();
  return stores && readHistory(await get(key, stores.state));
}

export async function saveHistory(history: History): Promise<void> {
  const stores = await pageStores();
  // A disk that is full keeps the history of before.
  if (stores) await set(key, history, stores.state).catch(() => undefined);
}
