/**
 * A Manyhands server inside a program of one's own.
 *
 * @example
 * import { startServer } from "manyhands/server";
 * const server = await startServer({ port: 0, dataDirectory: "./data" });
 * console.log(server.adminUrl);
 * await server.close();
 *
 * @packageDocumentation
 */
export { startServer, type RunningServer } from "./server.ts";
export type { ServerOptions } from "./options.ts";
