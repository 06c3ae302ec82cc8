import type { Store } from "../store.ts";

/** A store in a database of this server alone, with the backup that a database server has means of its own for. */
export interface EmbeddedStore extends Store {
  /**
   * Writes a consistent copy of the database to a new file, while the store is in use.
   * @param onProgress - called with the share that is written, 0 … 1
   */
  backup(file: string, onProgress?: (share: number) => void): Promise<void>;
}
