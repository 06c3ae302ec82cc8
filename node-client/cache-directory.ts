import { homedir } from "node:os";
import { join } from "node:path";

/** The system's directory for data that can be fetched again: XDG on Linux, ~/Library/Caches on macOS, LOCALAPPDATA on Windows. */
export function defaultCacheDirectory(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "manyhands");
  if (process.platform === "win32")
    return join(LOCALAPPDATA || join(homedir(), "AppData", "Local"), "manyhands");
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "manyhands");
}
