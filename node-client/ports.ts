import type { ClientPorts, Clock } from "../shared/client/ports.ts";
import { createBlobTransfer } from "./blob-transfer.ts";
import { claimClientDirectory } from "./client-directory.ts";
import { fetchOnce } from "./fetch-once.ts";
import { defaultQuotaBytes, openDiskCache, partialDirectory } from "./disk-cache.ts";
import { createDiskOutbox } from "./disk-outbox.ts";
import { createProcessSandboxes } from "./sandbox/process-sandboxes.ts";
import { createTransport } from "./transport.ts";
import type { Identity } from "../shared/wire/identity.ts";

interface NodePortsOptions {
  /** Address of the server, http or https. */
  readonly serverUrl: string;
  readonly cacheDirectory: string;
  readonly cacheQuotaBytes?: number;
  /** Scheduling priority of the sandboxes, 0 … 19. */
  readonly niceness?: number;
  readonly log: ClientPorts["log"];
}

/** The client core's ports on Node, and the identity of an earlier client of the claimed directory. */
interface NodePorts {
  readonly ports: ClientPorts;
  /** Identity that the server gave to an earlier client of this directory. */
  readonly identity: Identity | undefined;
  close(): void;
}

/** Opens cache and outbox, and makes the ports of the Node client. */
export async function openNodePorts(options: NodePortsOptions): Promise<NodePorts> {
  const { serverUrl, cacheDirectory, cacheQuotaBytes, niceness, log } = options;
  const cache = await openDiskCache({
    directory: cacheDirectory,
    log,
    ...(cacheQuotaBytes !== undefined && { quotaBytes: cacheQuotaBytes }),
  });
  const directory = claimClientDirectory(cacheDirectory, log);
  return {
    identity: directory.identity(serverUrl),
    ports: {
      clock,
      random: Math.random,
      transport: createTransport(serverUrl),
      blobs: fetchOnce(createBlobTransfer(serverUrl), {
        cache,
        lockDirectory: partialDirectory(cacheDirectory),
        quotaBytes: cacheQuotaBytes ?? defaultQuotaBytes,
      }),
      cache,
      outbox: createDiskOutbox(directory, log),
      sandboxes: createProcessSandboxes({
        cacheDirectory,
        ...(niceness !== undefined && { niceness }),
      }),
      keepIdentity: (identity) => directory.keepIdentity(serverUrl, identity),
      log,
    },
    close() {
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
