import type * as Sqlite from "node:sqlite";

/** SQLite without the warning of Node 22 and 24 that it is experimental: the used functions are the same in 26, where SQLite is stable. */
export const { DatabaseSync, backup } = loadQuietly();
export type DatabaseSync = Sqlite.DatabaseSync;

function loadQuietly(): typeof Sqlite {
  const warn: unknown = Reflect.get(process, "emitWarning");
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule("node:sqlite");
  } finally {
    Reflect.set(process, "emitWarning", warn);
  }
}
