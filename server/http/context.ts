import type { Request, Response } from "express";
import type { Logger } from "pino";
import type { KnowsHosts } from "../access/known-hosts.ts";
import type { Access } from "../access/access.ts";
import type { Caller, RouteName } from "../access/rules.ts";
import type { BlobStore, StoredBlobs } from "../blobs/blob-store.ts";
import type { Health } from "../health.ts";
import type { ClientProgram, CustomerCode, ServerOptions } from "../options.ts";
import type { Platform } from "../platform.ts";
import type { Project } from "../project.ts";
import type { Upkeep } from "../upkeep/upkeep.ts";
import type { WheelFolder } from "../wheel-folder.ts";
import type { Metrics } from "./metrics.ts";
import type { TicketServers } from "./pass-on.ts";

/** The HTTP side's part of the blob store. */
export type Blobs = StoredBlobs &
  Partial<Pick<BlobStore, "append" | "uploaded" | "signedUrl" | "signedOrigin">>;

/** Parts of the HTTP side. */
export interface HttpParts {
  readonly platform: Platform;
  readonly blobs: Blobs;
  readonly access: Access;
  readonly options: ServerOptions;
  /** Directory of the built pages; may be missing. */
  readonly webRoot: string;
  /** The project that the volunteer page shows. */
  readonly project?: Project | undefined;
  /** Absent: no program is served. */
  readonly clientProgram?: ClientProgram;
  /** Absent: the server has no code for customers. */
  readonly customerCode?: CustomerCode;
  /** Packages for functions in Python; absent where nothing is kept on a disk. */
  readonly wheels?: WheelFolder;
  readonly log: Logger;
  /** The same for all servers that share their sign-ins; absent with one alone. */
  readonly signIns?: string;
  /** The servers that share the store; absent with one alone. */
  readonly servers?: TicketServers;
  /** Absent: the names that the options have. */
  readonly knowsHosts?: KnowsHosts;
  /** Absent where nothing is kept on a disk. */
  readonly upkeep?: Pick<Upkeep, "scrub" | "backUp">;
  /** Absent without health checks from outside. */
  readonly health?: Pick<Health, "check" | "freeBytes">;
  /** Absent: new metrics. */
  readonly metrics?: Metrics;
  /** Aborted when the server stops: streams that follow a job end, new requests are refused. */
  readonly stopping?: AbortSignal;
}

/** A request that its route's rule permits. */
export interface Call {
  readonly req: Request;
  readonly res: Response;
  /** Undefined on open routes only. */
  readonly caller: Caller | undefined;
  /** Aborted when the other side has gone or the server stops. */
  readonly signal: AbortSignal;
  /** Whether the caller's token or ticket is still valid, for lasting replies. */
  readonly stillAllowed: () => Promise<boolean>;
  /** Adds what a request did to its entry of the audit log; without effect where it has none. */
  readonly note: (detail: string) => Promise<void>;
}

export type Handler = (call: Call) => Promise<void> | void;

/** Handlers of some routes; together they cover every {@link RouteName}. */
export type Routes<Names extends RouteName> = Record<Names, Handler>;
