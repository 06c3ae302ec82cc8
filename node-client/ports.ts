import type { ClientPorts, Clock } from "../shared/client/ports.ts";
import { createBlobTransfer } from "./blob-transfer.ts";
import { claimClientDirectory } from "./client-directory.ts";
import { fetchOnce } from "./fetch-once.ts";
import { defaultQuotaBytes, openDiskCache, partialDirectory } from "./disk-cache.ts";
import { createDiskOutbox } from "./disk-outbox.ts";
import type { AllowedCommand } from "./commands/allowed.ts";
import { openCommands } from "./commands/commands.ts";
import { createProcessSandboxes, defaultNiceness } from "./sandbox/process-sandboxes.ts";
import { connect } from "./transport.ts";
import type { Identity } from "../shared/wire/identity.ts";

interface NodePortsOptions {
  /** Addresses of the servers, http or https, as the client was told. */
  readonly servers: readonly [string, ...string[]];
  readonly cacheDirectory: string;
  readonly cacheQuotaBytes?: number;
  /** Scheduling priority of the sandboxes, 0 … 19. */
  readonly niceness?: number;
  /** Commands that the owner of the machine allows. */
  readonly commands?: readonly AllowedCommand[];
  readonly log: ClientPorts["log"];
}

/** The client core's ports on Node, and the identity of an earlier client of the claimed directory. */
export interface NodePorts {
  readonly ports: ClientPorts;
  /** Identity that the servers gave to an earlier client of this directory. */
  readonly identity: Identity | undefined;
  /** Addresses of these servers that the earlier client kept, the one that welcomed it last first. */
  readonly keptServers: readonly string[];
  /** Address of the server of the newest connection. */
  server(): string;
  close(): void;
}

/** Opens cache and outbox, and makes the ports of the Node client. */
export async function openNodePorts(options: NodePortsOptions): Promise<NodePorts> {
  const { servers, cacheDirectory, cacheQuotaBytes, niceness, log } = options;
  const cache = await openDiskCache({
    directory: cacheDirectory,
    log,
    ...(cacheQuotaBytes !== undefined && { quotaBytes: cacheQuotaBytes }),
  });
  const directory = claimClientDirectory(cacheDirectory, log);
  const kept = directory.kept(servers);
  let [server] = servers;
  const commands =
    options.commands && openCommands(options.commands, { niceness: niceness ?? defaultNiceness, log });
  return {
    identity: kept.identity,
    keptServers: kept.servers,
    server: () => server,
    ports: {
      clock,
      random: Math.random,
      transport: { connect: (handlers, to) => connect(handlers, (server = to)) },
      blobs: fetchOnce(
        createBlobTransfer(() => server),
        {
          cache,
          lockDirectory: partialDirectory(cacheDirectory),
          quotaBytes: cacheQuotaBytes ?? defaultQuotaBytes,
        },
      ),
      cache,
      outbox: createDiskOutbox(directory, log),
      sandboxes: createProcessSandboxes({
        cacheDirectory,
        cache,
        ...(niceness !== undefined && { niceness }),
      }),
      ...(commands && { commands }),
      keepIdentity: (identity, known) => directory.keep(known, identity),
      log,
    },
    close() {
      commands?.close();
      cache.close();
      directory.close();
    },
  };
}

const clock: Clock = {
  now: () => performance.now(),
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
