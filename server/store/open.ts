import { hostname } from "node:os";
import { PlatformError } from "../../shared/errors.ts";
import type { Quotas } from "./quotas.ts";
import type { Damage } from "./sql/checksum.ts";
import type { SharedStore } from "./shared-store.ts";
import type { EmbeddedStore } from "./sqlite/embedded-store.ts";
import { openSqliteStore } from "./sqlite/open.ts";
import type { Store } from "./store.ts";

/** A store that a server has to itself, or shares. */
export type ServerStore = EmbeddedStore | SharedStore;

/**
 * Opens the store of a server: in the data directory, or in the PostgreSQL database of an address.
 * @throws PlatformError BAD_OPTION when the address is of another kind, DATA_DIRECTORY when the store cannot be opened
 */
export async function openStore(
  directory: string,
  address: string | undefined,
  options: { quotas: Quotas; onDamage: (found: Damage) => void },
): Promise<ServerStore> {
  if (address === undefined) return openSqliteStore(directory, options);
  if (!/^postgres(?:ql)?:/.test(address))
    throw new PlatformError(
      "BAD_OPTION",
      "The address of --store is of no kind that is known. Expected postgres://user@host/database.",
    );
  // Loaded when needed, because most servers do without.
  const { openPostgresStore } = await import("./postgres/open.ts");
  return openPostgresStore(address, { ...options, name: hostname() });
}

/** Tells the other servers of a shared store under which addresses clients reach this server. */
export async function introduce(store: Store, urls: readonly string[]): Promise<void> {
  if (isShared(store)) await store.introduce(hostname(), urls);
}

/** Whether several servers share the store. */
export function isShared(store: Store): store is SharedStore {
  return "introduce" in store;
}
