/** Opens a store and prints the outcome: `node open-once.ts DIRECTORY`. The store stays open until standard input ends. */
import { PlatformError } from "../../shared/errors.ts";
import { openSqliteStore } from "../../server/store/sqlite/open.ts";

try {
  const store = await openSqliteStore(process.argv[2]!);
  console.log("open");
  process.stdin.resume().on("end", () => void store.close());
} catch (error) {
  const { code, message } = PlatformError.from(error);
  console.log(`${code} ${message}`);
}
