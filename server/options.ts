import type { BlobName } from "../shared/data-reference.ts";
import { limits } from "../shared/limits.ts";
import type { CommandKernel } from "../shared/wire/command-kernel.ts";
import type { PythonProgram } from "../shared/wire/python-program.ts";
import type { WheelInfo } from "../shared/wire/wheels.ts";
import type { Quotas } from "./store/quotas.ts";

/** Times in ms for which ended jobs are kept, by their end; undefined: for ever. */
export interface KeepJobs {
  /** Finished without a failed task. */
  readonly done?: number | undefined;
  /** Finished with failed tasks, quarantined or blocked. */
  readonly failed?: number | undefined;
  readonly cancelled?: number | undefined;
}

/** The options of a server from command line and environment; `manyhands server --help` documents every field. */
export interface ServerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly dataDirectory: string;
  /** Address of a PostgreSQL database that keeps jobs and results instead of the data directory. May hold a password: never printed. */
  readonly store: string | undefined;
  readonly tlsCertificate: string | undefined;
  readonly tlsKey: string | undefined;
  readonly volunteers: "open" | "invite" | "off";
  /** Whether anybody may see the project's progress, at `/status` (SPEC.md [PUBLIC-1]). */
  readonly publicStatus: boolean;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  /** Address that others are told, when a proxy in front has its own. */
  readonly publicUrl: string | undefined;
  /**
   * Addresses of the servers that share their data with this one, under which clients reach them; its own may be among them. Asked
   * whenever a client joins or a page is opened (SPEC.md [SERVERS-1]).
   */
  readonly servers: () => readonly string[];
  /** Names under which browsers may reach the server besides its own, in small letters; `*.example.org` stands for all that end so. */
  readonly allowHosts: readonly string[];
  /** Whether X-Forwarded-* of a proxy in front is trusted. */
  readonly trustProxy: boolean;
  /** Place of blobs that several servers share: `s3://bucket…` or a directory; undefined: in the data directory of this server. */
  readonly blobs: string | undefined;
  readonly blobQuotaBytes: number;
  /** Bytes that one customer may keep; undefined: half of `blobQuotaBytes`. */
  readonly customerQuotaBytes: number | undefined;
  readonly jobsPerCustomer: number;
  readonly kernelsPerCustomer: number;
  /** Tasks of one customer that have not ended. */
  readonly openTasksPerCustomer: number;
  /** Unreferenced blobs are kept this long after their last use. */
  readonly blobKeepMs: number;
  readonly keepJobs: KeepJobs;
  /** Bytes of blobs that the server verifies a second by itself; 0 for none. */
  readonly scrubBytesPerSecond: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly requestsPerMinutePerAddress: number;
  readonly messagesPerSecondPerClient: number;
  /** A vanished client keeps its leases for this long. */
  readonly graceMs: number;
  readonly heartbeatMs: number;
  /** Distinct clients a task may kill before it is quarantined. */
  readonly quarantineAfter: number;
  /**
   * Sandboxes of the server's own auditor, which tries tasks at which strangers failed while no other trusted client is there; 0 for no
   * auditor.
   */
  readonly auditors: number;
  /** Whether idle slots get second leases for the last running tasks of a job. */
  readonly speculate: boolean;
  /** File that describes the project for which volunteers compute ({@link readProject}). */
  readonly project: string | undefined;
  /** File with address and client token for clients on a shared file system; removed when the server stops. */
  readonly rendezvous: string | undefined;
}

/** A file on this machine. */
interface KernelFile {
  readonly path: string;
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** Code that a server hands out to customers without npm. */
export interface CustomerCode {
  /** The module for Python, or that beside it for programs of EMAN2. */
  pythonModule(name?: "manyhands" | "manyhands_eman2"): Promise<string>;
  /** The code with which kernels of programs begin. */
  programCode(): Promise<string>;
  /** Makes the kernel of a function in Python. */
  pythonKernel(
    program: PythonProgram,
    embedsFiles: boolean,
    wheels: readonly (WheelInfo & Required<KernelFile>)[],
    /** The command of clients whose own Python computes the function. */
    on?: string,
  ): Promise<{
    readonly source: string;
    /** Blobs that each task names; without a path those that the customer has on the server. */
    readonly refs: readonly (BlobName & Partial<KernelFile>)[];
    /** Imports for which there is no wheel. */
    readonly missing: readonly string[];
  }>;
  /** @throws PlatformError for a wheel of another Python than that of kernels */
  checkWheel(file: string): Promise<void>;
  /** The module of the kernel of a command. */
  commandKernel(definition: CommandKernel): Promise<string>;
}

/** Makes the program of the headless client in one file. */
export type ClientProgram = () => Promise<string>;

export const defaultServerOptions: ServerOptions = {
  host: "127.0.0.1",
  port: 9990,
  dataDirectory: "manyhands-data",
  store: undefined,
  tlsCertificate: undefined,
  tlsKey: undefined,
  volunteers: "open",
  publicStatus: false,
  logLevel: "info",
  publicUrl: undefined,
  servers: () => [],
  allowHosts: [],
  trustProxy: false,
  blobs: undefined,
  blobQuotaBytes: 64 * 1024 ** 3,
  customerQuotaBytes: undefined,
  jobsPerCustomer: 100_000,
  kernelsPerCustomer: 10_000,
  openTasksPerCustomer: 20_000_000,
  blobKeepMs: 24 * 3600 * 1000,
  keepJobs: {},
  scrubBytesPerSecond: 8 * 1024 ** 2,
  maxConnections: 20_000,
  maxConnectionsPerAddress: 1024,
  requestsPerMinutePerAddress: 6000,
  messagesPerSecondPerClient: 2000,
  graceMs: 30_000,
  heartbeatMs: limits.signOfLifeMs,
  quarantineAfter: 3,
  auditors: 1,
  speculate: true,
  project: undefined,
  rendezvous: undefined,
};

/** The quotas of each customer. */
export function quotasOf(options: ServerOptions): Quotas {
  return {
    bytes: options.customerQuotaBytes ?? options.blobQuotaBytes / 2,
    jobs: options.jobsPerCustomer,
    kernels: options.kernelsPerCustomer,
    openTasks: options.openTasksPerCustomer,
  };
}
