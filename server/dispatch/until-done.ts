import type { Logger } from "pino";
import { PlatformError } from "../../shared/errors.ts";

const againMs = 1000;

/**
 * Does work at the store that nobody else asks for again: after a second as long as the store fails, and not at all once the job is gone
 * or the server goes down.
 */
export function untilDone(log: Logger, what: string, about: object, work: () => Promise<unknown>): void {
  work().catch((error: unknown) => {
    if (isGone(error)) return;
    log.error({ err: error, ...about }, `could not ${what}; trying again in a second`);
    setTimeout(() => untilDone(log, what, about, work), againMs).unref();
  });
}

/** Whether the store refused because the job was deleted or ended meanwhile, or because the server goes down. */
export function isGone(error: unknown): boolean {
  const { code } = PlatformError.from(error);
  return code === "NOT_FOUND" || code === "WRONG_STATE" || code === "SHUTTING_DOWN";
}
