import { messageOf, PlatformError } from "../../../shared/errors.ts";

// Primary result codes: https://www.sqlite.org/rescode.html
const busy = 5;
const outOfMemory = 7;
const readOnly = 8;
const ioError = 10;
const corrupt = 11;
const full = 13;
const cannotOpen = 14;
const notADatabase = 26;

/** SQLite's primary result code; undefined for another error. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return Number(error.errcode) & 0xff;
}

/** Whether the disk or the file caused the error, not the verb: then all verbs of the commit fail. */
export function isDiskFailure(error: unknown): boolean {
  const code = resultCode(error);
  return (
    code !== undefined &&
    [busy, outOfMemory, readOnly, ioError, corrupt, full, cannotOpen, notADatabase].includes(code)
  );
}

/** The error of a verb whose SQLite call failed. */
export function storeError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  const code = resultCode(error);
  const said = messageOf(error);
  if (code === full)
    return new PlatformError(
      "STORE_FULL",
      `Nothing was stored: the disk of the data directory is full (${said}).`,
      error,
    );
  if (code === readOnly)
    return new PlatformError(
      "STORE_FULL",
      `Nothing was stored: the data directory became read-only (${said}).`,
      error,
    );
  if (isDiskFailure(error))
    return new PlatformError(
      "STORE_FAILED",
      `Nothing was stored: the database in the data directory failed (${said}).`,
      error,
    );
  return PlatformError.from(error);
}

/** The operating system's code of a failure, as in errors of Node's file system calls. */
function systemCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

const inUse = "Another Manyhands server is using the data directory";

/** Whether a data directory could not be opened because another server uses it. The error may come from another thread. */
export function isInUse(error: unknown): boolean {
  return error instanceof PlatformError && error.message.startsWith(inUse);
}

/** The error of opening a data directory. */
export function openError(directory: string, error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  return new PlatformError("DATA_DIRECTORY", openMessage(directory, error), error);
}

function openMessage(directory: string, error: unknown): string {
  const said = messageOf(error);
  switch (resultCode(error) ?? systemCode(error)) {
    case busy:
      return `${inUse} ${directory}. Stop it, or give this one a directory of its own.`;
    case notADatabase:
      return `The data directory ${directory} holds a manyhands.sqlite that is not a database. Expected one that Manyhands made; move the file away to start afresh.`;
    case corrupt:
      return `The database in the data directory ${directory} is damaged (${said}). Restore it from a backup, or move it away to start afresh.`;
    case full:
    case "ENOSPC":
      return `The disk of the data directory ${directory} is full: the server needs room to record its work.`;
    case readOnly:
    case cannotOpen:
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `The data directory ${directory} cannot be written (${said}). Expected a directory that this user may write.`;
    default:
      return `The data directory ${directory} cannot be used: ${said}.`;
  }
}
