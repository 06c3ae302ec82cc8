import { connect as connectServer, type ConnectOptions } from "../customer/connect.ts";
import type { Hands } from "../customer/hands.ts";
import { parseParallel } from "./spec.ts";

/**
 * Connects a program to a server, threads of this machine, or ranks under MPI. `hands.close()` ends everything that was
 * started.
 *
 * @param spec - `dc:HOST:PORT`, `thread:N[:SCRATCH]`, `mpi:N:SCRATCH` or the address of a server; else
 * `MANYHANDS_PARALLEL`, else `MANYHANDS_SERVER`, else the server on this machine
 * @param options - come before the options in `spec`
 * @throws PlatformError BAD_OPTION (points at the character and shows the grammar), UNREACHABLE, UNAUTHENTICATED,
 * DATA_DIRECTORY (SCRATCH), …
 */
export async function connect(spec?: string, options: ConnectOptions = {}): Promise<Hands> {
  const text = spec ?? (process.env["MANYHANDS_PARALLEL"]?.trim() || undefined);
  if (text === undefined) return connectServer(undefined, options);
  const parsed = parseParallel(text);
  const { name, priority, token } = parsed.options;
  const all: ConnectOptions = {
    ...options,
    name: options.name ?? name,
    priority: options.priority ?? priority,
    token: options.token ?? token,
  };
  switch (parsed.type) {
    case "dc":
      return connectServer(parsed.url, all);
    case "thread":
      return (await import("./thread/connect-thread.ts")).connectThread(parsed, all);
    case "mpi":
      return (await import("./mpi/connect-mpi.ts")).connectMpi(parsed, all);
  }
}
