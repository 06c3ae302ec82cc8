import { messageOf, PlatformError } from "../../../shared/errors.ts";

/** The SQLSTATE with which a commit is refused whose server was declared dead; see `fence` in schema.ts. */
export const fencedState = "MH001";

/** Errors after which the same transaction may succeed: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const passing = new Set([
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "23505", // unique_violation: another server was first, and the verb will see its row
]);

/** The connection is gone: an administrator, a restart, or the time limit of an idle transaction ended the session. */
const endings = new Set(["57P01", "57P02", "57P03", "57P05", "25P03", "25P04"]);

/** The SQLSTATE of PostgreSQL's error; undefined for another error. */
function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("severity" in error)) return undefined;
  return String(error.code);
}

/** A connection that ended, or took too long to answer. */
export class ConnectionLost extends Error {}

export function isFenced(error: unknown): boolean {
  return stateOf(error) === fencedState;
}

export function isPassing(error: unknown): boolean {
  return passing.has(stateOf(error) ?? "");
}

export function isConnectionLost(error: unknown): boolean {
  if (error instanceof ConnectionLost) return true;
  const state = stateOf(error);
  return state !== undefined && (endings.has(state) || state.startsWith("08"));
}

/** Whether a session could not be opened: nobody listens, the host cannot be reached, or PostgreSQL is starting. */
export function isUnreachable(error: unknown): boolean {
  return (
    error instanceof Error &&
    ("syscall" in error || /^Connection terminated|timeout expired/.test(error.message))
  );
}

/** Whether a statement does not fit the tables, as when a newer version migrated them. */
export function isMisfit(error: unknown): boolean {
  return /^(?:42|0A)/.test(stateOf(error) ?? "");
}

/** Whether the disk or the machine caused the error, not the verb: then all verbs of the commit fail. */
export function isDatabaseFailure(error: unknown): boolean {
  const state = stateOf(error) ?? "";
  return /^(?:53|58|XX|25006)/.test(state);
}

/**
 * The error of a verb whose statement failed.
 * @param isOutdated - whether a newer version migrated the tables meanwhile
 */
export function storeError(error: unknown, isOutdated = false): PlatformError {
  if (error instanceof PlatformError) return error;
  const said = messageOf(error);
  const state = stateOf(error) ?? "";
  if (state === "53100")
    return new PlatformError(
      "STORE_FULL",
      `Nothing was stored: the disk of PostgreSQL is full (${said}).`,
      error,
    );
  if (state === "25006")
    return new PlatformError("STORE_FULL", `Nothing was stored: PostgreSQL is read-only (${said}).`, error);
  if (isFenced(error) || isOutdated)
    return new PlatformError(
      "STORE_FAILED",
      "Nothing was stored: this server was silent for so long that the others took it for dead, or is of a version before theirs.",
      error,
    );
  if (isConnectionLost(error) || isUnreachable(error) || isDatabaseFailure(error))
    return new PlatformError("STORE_FAILED", `PostgreSQL failed (${said}).`, error);
  return PlatformError.from(error);
}
