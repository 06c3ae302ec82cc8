import type { Command } from "commander";
import { connect, PlatformError, type Hands } from "../../customer/index.ts";

/** Gives a program the option `--parallel`; what it returns connects to what the option names. */
export function parallelOption(command: Command): () => Promise<Hands> {
  command.option(
    "--parallel <spec>",
    "what computes: dc:HOST:PORT or http://HOST:PORT, a server with its clients (default: MANYHANDS_SERVER, or the one on this machine)",
  );
  return () => connectParallel(command.opts<{ parallel?: string }>().parallel);
}

async function connectParallel(spec: string | undefined): Promise<Hands> {
  if (spec === undefined || spec === "dc") return connect();
  if (/^https?:\/\//i.test(spec)) return connect(spec);
  const server = /^dc:(?:([^:/]+)|(\[[^\]]+\]))(?::(\d+))?$/i.exec(spec);
  if (server) return connect(`http://${server[1] ?? server[2]}:${server[3] ?? 9990}`);
  throw new PlatformError(
    "BAD_REQUEST",
    `--parallel ${spec}: expected dc:HOST:PORT, http://HOST:PORT or https://HOST:PORT.`,
  );
}
