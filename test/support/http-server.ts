import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { createAccess, type Access } from "../../server/access/access.ts";
import { openBlobs } from "../../server/blobs/open.ts";
import { LocalPlatform } from "../../server/dispatch/local-platform.ts";
import { customerCode } from "../../customer/customer-code.ts";
import { configureHttpServer, createHttpApp } from "../../server/http/app.ts";
import { createMetrics } from "../../server/http/metrics.ts";
import { Health } from "../../server/health.ts";
import { WheelFolder } from "../../server/wheel-folder.ts";
import { labHost } from "../../scripts/lab-host.ts";
import { defaultServerOptions, quotasOf, type ServerOptions } from "../../server/options.ts";
import { Upkeep } from "../../server/upkeep/upkeep.ts";
import { openMemoryStore } from "../../server/store/sqlite/open.ts";
import type { Store } from "../../server/store/store.ts";
import type { Role } from "../../shared/wire/rest/tokens.ts";
import { TestClient } from "./test-client.ts";

interface HttpServerSettings extends Partial<ServerOptions> {
  /** Directory of built pages. */
  readonly webRoot?: string;
}

/** The HTTP side over the real platform, store and blobs, in this process, on a free port. */
export interface HttpServer {
  readonly url: string;
  readonly tokens: Record<Role, string>;
  readonly access: Access;
  readonly store: Store;
  readonly platform: LocalPlatform;
  /** The lines of the log, parsed. */
  readonly logged: readonly Record<string, unknown>[];
  /** Ends lasting replies, the first step of a stop of the server. */
  stop(): void;
  /** Connects a client that computes with a function of the test. */
  client(
    kernel?: (input: unknown, index: number) => unknown,
    options?: { trusted?: boolean; answering?: boolean; want?: number },
  ): TestClient;
  /** Sends a request with a token (the customer's unless told otherwise). */
  request(path: string, init?: RequestInit & { token?: string | null }): Promise<Response>;
}

/** Starts a server that is stopped at the end of the test. */
export async function startHttpServer(settings: HttpServerSettings = {}): Promise<HttpServer> {
  const { server, close } = await openHttpServer(settings);
  onTestFinished(close);
  return server;
}

/** Starts a server that the caller closes, for several tests. */
export async function openHttpServer(
  settings: HttpServerSettings = {},
): Promise<{ server: HttpServer; close: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-http-"));
  const { webRoot = join(directory, "no-web"), ...given } = settings;
  const options: ServerOptions = {
    ...defaultServerOptions,
    port: 0,
    auditors: 0,
    dataDirectory: directory,
    allowHosts: [labHost],
    ...given,
  };
  const logged: Record<string, unknown>[] = [];
  const log = pino(
    { level: "debug" },
    { write: (line: string) => void logged.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const store = await openMemoryStore({ quotas: quotasOf(options) });
  const { blobQuotaBytes: quotaBytes, blobKeepMs: keepMs } = options;
  const blobs = await openBlobs(options.blobs, directory, { quotaBytes, keepMs, store });
  const access = createAccess(store);
  const stopping = new AbortController();
  let url = "";
  const platform = await LocalPlatform.open({ store, options, log, volunteerUrls: () => [url] });
  const upkeep = new Upkeep({ store, blobs, dataDirectory: directory, damagedRecords: () => 0 });
  const http = createServer(
    createHttpApp({
      customerCode,
      wheels: new WheelFolder(join(directory, "runtime")),
      upkeep,
      platform,
      blobs,
      access,
      options,
      webRoot,
      log,
      health: new Health(directory, store, log),
      metrics: createMetrics(),
      stopping: stopping.signal,
    }),
  );
  configureHttpServer(http);
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    stopping.abort();
    http.closeAllConnections();
    http.close();
    await blobs.close();
    await store.close();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  const token = async (role: Role): Promise<string> =>
    (await access.createToken({ role, name: role === "customer" ? "ada" : role })).secret;
  const tokens = {
    admin: await token("admin"),
    customer: await token("customer"),
    client: await token("client"),
    volunteer: await token("volunteer"),
  };
  const server: HttpServer = {
    url,
    tokens,
    access,
    store,
    platform,
    logged,
    stop: () => stopping.abort(),
    client: (kernel, options) => new TestClient(platform, log, kernel, options),
    request: (path, { token = tokens.customer, headers, ...init } = {}) =>
      fetch(`${url}${path}`, {
        ...init,
        headers: {
          ...(token && { authorization: `Bearer ${token}` }),
          ...(headers as Record<string, string>),
        },
      }),
  };
  return { server, close };
}
