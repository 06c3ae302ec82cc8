import { delMany, setMany, values } from "idb-keyval";
import type { Outbox, OutboxEntry } from "../../shared/client/ports.ts";
import type { LeaseKey } from "../../shared/wire/protocol.ts";
import type { Stores } from "./stores.ts";

/**
 * Finished results that the server has not acknowledged, in IndexedDB, so that a reload or a crash of the tab loses none. Where
 * IndexedDB is missing or fails, results live as long as the page.
 */
export function createOutbox(stores: Stores | undefined, warn: (message: string) => void): Outbox {
  const attempt = async (what: string, action: (stores: Stores) => Promise<unknown>): Promise<void> => {
    if (!stores) return;
    try {
      await action(stores);
    } catch (error) {
      warn(`The outbox could not ${what}; a reload of this page may lose results: ${String(error)}`);
    }
  };
  return {
    async load() {
      let loaded: OutboxEntry[] = [];
      await attempt("be read", async ({ outbox }) => (loaded = await values<OutboxEntry>(outbox)));
      return loaded;
    },
    save: (entries) =>
      attempt("be written", ({ outbox }) =>
        setMany(
          entries.map((entry) => [keyOf({ job: entry.job, ...entry.result }), detached(entry)]),
          outbox,
        ),
      ),
    remove: (keys) => attempt("be emptied", ({ outbox }) => delMany(keys.map(keyOf), outbox)),
  };
}

function keyOf({ job, index, attempt }: LeaseKey): string {
  return `${job}/${index}/${attempt}`;
}

/** Copies a view of a larger buffer, because IndexedDB would store the whole buffer. */
function detached(entry: OutboxEntry): OutboxEntry {
  const { outcome } = entry.result;
  if (outcome.state !== "done" || !(outcome.output instanceof Uint8Array)) return entry;
  if (outcome.output.byteLength === outcome.output.buffer.byteLength) return entry;
  return { ...entry, result: { ...entry.result, outcome: { ...outcome, output: outcome.output.slice() } } };
}
