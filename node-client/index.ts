/**
 * A headless Manyhands client inside a program of one's own.
 *
 * @example
 * import { runClient } from "manyhands/client";
 * const stop = new AbortController();
 * const exitCode = await runClient({ server: "http://head:9990", slots: 4, signal: stop.signal });
 *
 * @packageDocumentation
 */
export { runClient, type RunClientOptions } from "./run-client.ts";
export type { LogLevel } from "./log.ts";
