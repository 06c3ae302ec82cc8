import { createClient, type Client, type ClientOptions } from "../../shared/client/client.ts";
import type { ClientPorts } from "../../shared/client/ports.ts";
import type { ClientStatus } from "../../shared/client/status.ts";
import { openBlobCache, type PageCache } from "./blob-cache.ts";
import { createBlobTransfer } from "./blob-transfer.ts";
import { createClock } from "./clock.ts";
import { createFrameSandboxes } from "./frame-sandboxes.ts";
import { describeBrowser, openIdentity } from "./identity.ts";
import { createOutbox } from "./outbox.ts";
import { openStores } from "./stores.ts";
import { connect } from "./transport.ts";
import { webGpu } from "./webgpu-state.ts";

interface BrowserClientOptions {
  readonly slots: number;
  /** Invitation or client token. */
  readonly token: string | undefined;
  /** Whether no other tab of this browser computes, so that this tab may use the browser's client id. */
  readonly exclusive: boolean;
  /** Name and team that the person wants to be shown under; asked at each connection. */
  readonly called?: () => readonly (string | undefined)[];
  readonly onEvent?: ClientOptions["onEvent"];
  readonly onStatus: (status: ClientStatus) => void;
}

/** State that a page keeps from one client to the next, because a person may stop and start many times. */
let cache: PageCache | undefined;
const sandboxes = createFrameSandboxes(() => cache);
const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("manyhands-blobs") : undefined;
let opening: ReturnType<typeof openStores> | undefined;

/** The stores of this page, opened once; undefined where the browser keeps no data. */
export function pageStores(): ReturnType<typeof openStores> {
  return (opening ??= openStores());
}

/** The first task has usually begun by then. */
const furtherCodeMs = 3_000;
/** Address of the page's own server, with the path that a proxy may have put it under. */
const page = new URL(".", location.href).href;

/** The client core on the ports of a browser page. Only the elected tab makes one. */
export async function openBrowserClient(options: BrowserClientOptions): Promise<Client> {
  // The sandbox page loads while the socket connects. The first task reports a failure.
  sandboxes.warmUp();
  const stores = await pageStores();
  const [opened, identity] = await Promise.all([
    openBlobCache(stores, { channel }),
    openIdentity(stores, options.exclusive),
  ]);
  cache = opened;
  let server = page;
  const ports: ClientPorts = {
    clock: createClock(),
    random: Math.random,
    transport: { connect: (handlers, to) => connect(handlers, (server = to)) },
    blobs: createBlobTransfer(() => server),
    cache: opened,
    outbox: createOutbox(stores, (message) => log("warn", message)),
    sandboxes,
    keepIdentity(given, servers) {
      void identity.keep(given, servers);
      // The page's own server may be gone when a kernel needs this code.
      if (servers.length > 1) {
        sandboxes.fetchPortable();
        loadFurtherCode();
      }
    },
    log,
  };
  const client = createClient(ports, describeBrowser(identity.known, options.token, options.called), {
    slots: options.slots,
    servers: [page],
    // The page's own server has just delivered the page.
    keptServers: [page, ...identity.servers],
    onStatus: options.onStatus,
    onEvent(event, state) {
      options.onEvent?.(event, state);
      // A graphics processor that was lost may not come back.
      if (event.type === "sandboxEnded" && !webGpu.missing) findWebGpu(client);
    },
  });
  addEventListener("online", () => client.networkChanged());
  setTimeout(() => {
    loadFurtherCode();
    findWebGpu(client);
  }, furtherCodeMs);
  return client;
}

/** Loads code that data of later tasks needs: the server may be away, or another version, when the first of them comes. */
function loadFurtherCode(): void {
  const code = [
    import("../../shared/client/data/chunk-reader.ts"),
    import("../../shared/client/data/precacher.ts"),
    import("./further-transfers.ts"),
  ];
  // The task that needs it tries again.
  void Promise.allSettled(code);
}

/** A page that cannot load this code takes no tasks that need WebGPU. */
function findWebGpu(client: Client): void {
  void import("./webgpu.ts")
    .then(({ lookForWebGpu }) => lookForWebGpu(sandboxes, client))
    .catch(() => undefined);
}

const log: ClientPorts["log"] = (level, message, details) => {
  console[level](`[manyhands] ${message}`, ...(details ? [details] : []));
};
