import { X509Certificate } from "node:crypto";
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { join, resolve } from "node:path";
import { buffer } from "node:stream/consumers";
import { pino, type Logger } from "pino";
import type { BlobName } from "../shared/data-reference.ts";
import { messageOf, PlatformError } from "../shared/errors.ts";
import { limits } from "../shared/limits.ts";
import { parseServerAddress, parseServerAddresses } from "../shared/server-address.ts";
import { packageRoot } from "../system/package-root.ts";
import { createAccess } from "./access/access.ts";
import { openIdentities } from "./access/identities.ts";
import { knownHosts } from "./access/known-hosts.ts";
import { ensureLocalToken, type LocalToken } from "./access/local-token.ts";
import type { BlobStore } from "./blobs/blob-store.ts";
import { openBlobs } from "./blobs/open.ts";
import { makeServerId, makeTicket } from "./access/ticket.ts";
import { Damages } from "./damages.ts";
import { Auditors } from "./auditors.ts";
import { readTls, type TlsFiles } from "./tls.ts";
import { LocalPlatform } from "./dispatch/local-platform.ts";
import { createHttpApp } from "./http/app.ts";
import { configureHttpServer } from "./http/configure-server.ts";
import { makeFolder } from "./make-folder.ts";
import { Health } from "./health.ts";
import { WheelFolder } from "./wheel-folder.ts";
import {
  defaultServerOptions,
  quotasOf,
  type ClientProgram,
  type CustomerCode,
  type ServerOptions,
} from "./options.ts";
import { readProject, type Project } from "./project.ts";
import { reachableUrls } from "./reachable-urls.ts";
import { writeRendezvous } from "./rendezvous-file.ts";
import { ClientSockets } from "./sockets/client-sockets.ts";
import { SubmitSockets } from "./sockets/submit-sockets.ts";
import { isWebSocket, takeUpgrades } from "./sockets/upgrades.ts";
import { ServerDirectory } from "./server-directory.ts";
import { introduce, isShared, openStore, type ServerStore } from "./store/open.ts";
import type { Store } from "./store/store.ts";
import { listen, trackConnections, type Traffic } from "./connections.ts";
import { checkBlobs, startRegularUpkeep } from "./regular-upkeep.ts";
import { scrubInBackground } from "./upkeep/background-scrub.ts";
import { Upkeep } from "./upkeep/upkeep.ts";

/** A running server. */
export interface RunningServer {
  /** The URL for programs of this machine, without a slash at the end. */
  readonly url: string;
  /** Every address the server listens on, the one for this machine first. */
  readonly urls: readonly string[];
  /** Every address volunteers can open. */
  readonly volunteerUrls: readonly string[];
  readonly adminUrl: string;
  readonly port: number;
  /** File with the token of this machine (mode 0600). */
  readonly tokenFile: string;
  /** Whether programs of this user on this machine find the token. */
  readonly tokenIsFound: boolean;
  /** Admin token of this machine. */
  readonly token: string;
  /** Resolves with the reason when the server cannot go on, because a newer version has migrated its database. */
  readonly outdated: Promise<PlatformError>;
  /** Stops leasing, commits, tells clients to come back, and closes. Idempotent. */
  close(): Promise<void>;
}

/** Requests and sockets that have not ended by themselves after this are cut. */
const closeMs = 3000;

/**
 * Starts a server: store, blobs, access, HTTP and client sockets on one port. A failed start leaves nothing open.
 * @throws PlatformError DATA_DIRECTORY and others, with a remedy
 */
export async function startServer(
  given: Partial<ServerOptions> & {
    log?: Logger;
    clientProgram?: ClientProgram;
    customerCode?: CustomerCode;
  } = {},
): Promise<RunningServer> {
  const { log = pino({ level: given.logLevel ?? "info" }), clientProgram, customerCode, ...rest } = given;
  const publicUrl = rest.publicUrl === undefined ? undefined : parseServerAddress(rest.publicUrl);
  let directory: ServerDirectory | undefined;
  const { servers = defaultServerOptions.servers } = rest;
  const told = (): readonly string[] => {
    const named = servers();
    return named.length > 0 ? named : (directory?.urls ?? []);
  };
  const options: ServerOptions = {
    ...defaultServerOptions,
    ...rest,
    publicUrl,
    servers: addressReader(told),
  };
  checkHost(options.host);
  // A wrong address is refused before files and ports are opened.
  options.servers();
  const tls = readTls(options);
  const project = options.project === undefined ? undefined : readProject(options.project);
  makeDataDirectory(options.dataDirectory);
  const damages = new Damages(log);
  const store = await openStore(options.dataDirectory, options.store, {
    quotas: quotasOf(options),
    onDamage: (found) => damages.note(found),
  });
  let server: RunningServer;
  try {
    directory = isShared(store) ? await ServerDirectory.open(store) : undefined;
    server = await startOn({
      store,
      directory,
      damages,
      options,
      tls,
      project,
      log,
      clientProgram,
      customerCode,
    });
    await introduce(store, server.volunteerUrls);
  } catch (error) {
    directory?.close();
    await store.close();
    throw error;
  }
  return options.rendezvous === undefined ? server : await withRendezvous(server, store, options);
}

/**
 * Reads the first so many addresses, as they are told to clients: the same list as long as they are the same.
 * @returns a function that throws PlatformError BAD_ARGUMENT
 */
function addressReader(servers: () => readonly string[]): () => readonly string[] {
  let known = "";
  let addresses: readonly string[] = [];
  return () => {
    const told = servers().slice(0, limits.servers).join();
    if (told !== known) {
      addresses = told === "" ? [] : parseServerAddresses(told);
      known = told;
    }
    return addresses;
  };
}

/** Leaves a rendezvous file for clients of a shared file system, as long as the server runs. */
async function withRendezvous(
  server: RunningServer,
  store: Store,
  { rendezvous: file = "", dataDirectory }: ServerOptions,
): Promise<RunningServer> {
  try {
    const left = await writeRendezvous(store, {
      file,
      dataDirectory,
      urls: [...server.urls, ...publicUrlOf(server)],
    });
    const close = async (): Promise<void> => {
      try {
        await left.remove();
      } finally {
        await server.close();
      }
    };
    return { ...server, close };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** The address of a proxy, for nodes that cannot reach the server itself. */
function publicUrlOf({ urls, volunteerUrls }: RunningServer): string[] {
  return volunteerUrls.filter((url) => !urls.includes(url));
}

interface Foundations {
  readonly store: ServerStore;
  readonly directory: ServerDirectory | undefined;
  readonly damages: Damages;
  readonly options: ServerOptions;
  readonly tls: TlsFiles | undefined;
  readonly project: Project | undefined;
  readonly log: Logger;
  readonly clientProgram: ClientProgram | undefined;
  readonly customerCode: CustomerCode | undefined;
}

async function startOn({
  store,
  directory,
  damages,
  options,
  tls,
  project,
  log,
  clientProgram,
  customerCode,
}: Foundations): Promise<RunningServer> {
  const { blobQuotaBytes: quotaBytes, blobKeepMs: keepMs } = options;
  const blobs = await openBlobs(options.blobs, options.dataDirectory, {
    quotaBytes,
    keepMs,
    store,
    onDamage: (sha256, isDamaged) => {
      if (isDamaged) log.error({ sha256 }, "a blob is damaged and was set aside; it has to be put again");
      else log.info({ sha256 }, "a damaged blob was put again, or removed");
      platform.dataChanged(sha256, isDamaged);
    },
  });
  await blobs.readDamaged();
  const access = createAccess(store);
  const identities = await openIdentities(options.dataDirectory, store);
  let volunteerUrls: string[] = [];
  let traffic = (): Traffic => ({ bytesIn: 0, bytesOut: 0 });
  const platform = await LocalPlatform.open({
    store,
    options,
    log,
    volunteerUrls: () => volunteerUrls,
    damaged: () => ({ records: damages.count, blobs: blobs.damaged.size }),
    readBlob: (name, maxBytes) => readWhole(blobs, name, maxBytes),
    onTokens: () => access.refresh(),
    directory,
    traffic: () => traffic(),
  });
  for (const sha256 of blobs.damaged) platform.dataChanged(sha256, true);
  damages.onKernel = (sha256) => platform.dataChanged(sha256, true);
  checkBlobs(blobs, log);
  access.onRevoked((tokenId) => platform.tokenRevoked(tokenId));
  const webRoot = join(packageRoot, "dist", "web");
  const stopping = new AbortController();
  const health = new Health(options.dataDirectory, store, log);
  const certificate = tls && new X509Certificate(tls.cert);
  const knowsHosts = knownHosts(options, certificate);
  const damagedRecords = (): number => damages.count;
  const upkeep = new Upkeep({ store, blobs, dataDirectory: options.dataDirectory, damagedRecords });
  const app = createHttpApp({
    upkeep,
    wheels: new WheelFolder(resolve(options.dataDirectory, "runtime")),
    platform,
    blobs,
    access,
    options,
    webRoot,
    project,
    ...(clientProgram && { clientProgram }),
    ...(customerCode && { customerCode }),
    ...(directory && { servers: directory }),
    ...(isShared(store) && { signIns: Buffer.from(await store.secret("sign-ins")).toString("hex", 0, 8) }),
    log,
    health,
    knowsHosts,
    stopping: stopping.signal,
  });
  // Java's HttpClient and others offer HTTP/2 with every request; the answer is in HTTP/1.1.
  const shouldUpgradeCallback = isWebSocket;
  const http = tls
    ? createHttpsServer({ ...tls, shouldUpgradeCallback }, app)
    : createHttpServer({ shouldUpgradeCallback }, app);
  configureHttpServer(http);
  const { open, traffic: measured } = trackConnections(http);
  traffic = measured;
  let auditors: Auditors | undefined;
  const serverId = directory?.id ?? makeServerId();
  const isAuditor = (tokenId: string | undefined): boolean => auditors?.isAuditor(tokenId) === true;
  const sockets = new ClientSockets(
    access,
    identities,
    store,
    platform.connectionServices(log, () => makeTicket(serverId)),
    isAuditor,
  );
  const submitSockets = new SubmitSockets({ access, platform, options, log });
  const { trustProxy, servers } = options;
  takeUpgrades(http, [sockets, submitSockets], { trustProxy, servers, knowsHosts, log });
  await listen(http, options);
  const { port } = http.address() as AddressInfo;
  const urls = reachableUrls({ host: options.host, port, certificate });
  const publicUrl = options.publicUrl?.replace(/\/$/, "");
  volunteerUrls = publicUrl === undefined ? urls : [publicUrl];
  const url = urls[0] ?? `http://localhost:${port}`;
  const local = await ensureLocalToken(store, options.dataDirectory, { url, host: options.host, port });
  platform.keepHistory();
  if (directory) directory.self = { token: local.token, urls };
  auditors = new Auditors({
    slots: options.auditors,
    url,
    cacheDirectory: join(options.dataDirectory, "auditor"),
    certificateFile: options.tlsCertificate,
    access,
    log,
  });
  platform.onAuditorsCalled = () => auditors?.call();
  const endUpkeep = startRegularUpkeep({
    platform,
    blobs,
    keepMs,
    areBlobsShared: options.blobs !== undefined,
    leads: () => !isShared(store) || store.leads,
    log,
  });
  const { scrubBytesPerSecond: bytesPerSecond } = options;
  const endScrub =
    bytesPerSecond > 0 ? scrubInBackground({ store, blobs, damagedRecords, bytesPerSecond, log }) : () => {};

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= stop({
      http,
      open,
      sockets,
      submitSockets,
      platform,
      auditors,
      directory,
      store,
      blobs,
      stopping,
      local,
      endUpkeep,
      endScrub,
      log,
    }));
  return {
    url,
    urls,
    volunteerUrls,
    adminUrl: `${publicUrl ?? url}/admin`,
    port,
    tokenFile: local.tokenFile,
    tokenIsFound: local.discoveryFile !== undefined,
    token: local.token,
    outdated: isShared(store) ? store.outdated : new Promise(() => {}),
    close,
  };
}

interface Running {
  readonly http: Server;
  /** Every connection, upgraded ones included: `closeAllConnections` does not know those. */
  readonly open: ReadonlySet<Socket>;
  readonly sockets: ClientSockets;
  readonly submitSockets: SubmitSockets;
  readonly platform: LocalPlatform;
  readonly auditors: Auditors | undefined;
  readonly directory: ServerDirectory | undefined;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly stopping: AbortController;
  readonly local: LocalToken;
  readonly endUpkeep: () => void;
  readonly endScrub: () => void;
  readonly log: Logger;
}

async function stop({
  http,
  open,
  sockets,
  submitSockets,
  platform,
  auditors,
  directory,
  store,
  blobs,
  stopping,
  local,
  endUpkeep,
  endScrub,
  log,
}: Running): Promise<void> {
  endUpkeep();
  directory?.close();
  endScrub();
  platform.stopHistory();
  platform.dispatcher.stopLeasing();
  stopping.abort();
  const audited = auditors?.stop();
  sockets.close("The server is shutting down; it will be back.", 1000);
  submitSockets.close();
  const closed = new Promise<void>((resolve) => http.close(() => resolve()));
  http.closeIdleConnections();
  const timer = setTimeout(() => {
    sockets.terminate();
    submitSockets.terminate();
    http.closeAllConnections();
    for (const socket of open) socket.destroy();
  }, closeMs);
  await closed;
  clearTimeout(timer);
  await audited;
  await blobs.close();
  try {
    await local.remove();
    await platform.flush();
  } finally {
    await store.close();
  }
  log.info("stopped; everything accepted is on disk");
}

/** Reads a blob whole; undefined when it is larger than `maxBytes`, or not here. */
async function readWhole(
  blobs: BlobStore,
  { sha256, size }: BlobName,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  if (size > maxBytes) return undefined;
  try {
    if (!blobs.isVerified(sha256) && (await blobs.verify(sha256)) !== "sound") return undefined;
    return await buffer(blobs.open(sha256));
  } catch {
    return undefined;
  }
}

/** @throws PlatformError BAD_OPTION for a host that no browser could open */
function checkHost(host: string): void {
  if (host.trim() !== "" && !host.includes("%") && !host.includes("/")) return;
  throw new PlatformError(
    "BAD_OPTION",
    `--host "${host}" is nothing that others can open; expected an address without a zone, a name, or 0.0.0.0 for all.`,
  );
}

function makeDataDirectory(directory: string): void {
  try {
    makeFolder(directory);
  } catch (error) {
    const reason = messageOf(error);
    throw new PlatformError(
      "DATA_DIRECTORY",
      `The data directory ${directory} cannot be made: ${reason}.`,
      error,
    );
  }
}
