import { messageOf, PlatformError } from "../../shared/errors.ts";

function systemCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

export function isMissing(error: unknown): boolean {
  return systemCode(error) === "ENOENT";
}

/** The refusal for a failure of the file system. */
export function blobError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  const said = messageOf(error);
  switch (systemCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return new PlatformError(
        "STORE_FULL",
        `The blob was not stored: the disk of the data directory is full (${said}).`,
        error,
      );
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return new PlatformError(
        "STORE_FULL",
        `The blob was not stored: the data directory cannot be written (${said}).`,
        error,
      );
    default:
      return new PlatformError("STORE_FAILED", `The blob directory failed: ${said}.`, error);
  }
}
