import * as v from "valibot";
import { DataReference } from "../shared/data-reference.ts";
import { PlatformError } from "../shared/errors.ts";
import { hints } from "../shared/hints.ts";
import type { JobId, Sha256 } from "../shared/ids.ts";
import { limits, recordLimits } from "../shared/limits.ts";
import { attachmentSchema, type Attachment } from "../shared/wire/rest/attachments.ts";
import { auditEntrySchema, type AuditEntry } from "../shared/wire/rest/audit.ts";
import { kernelInfoSchema } from "../shared/wire/rest/blobs.ts";
import { capacitySchema, type Capacity } from "../shared/wire/rest/capacity.ts";
import {
  banInfoSchema,
  clientInfoSchema,
  type BanInfo,
  type ClientInfo,
} from "../shared/wire/rest/clients.ts";
import { contentTypes } from "../shared/wire/rest/content-types.ts";
import { failureGroupsSchema, type FailureGroups } from "../shared/wire/rest/failures.ts";
import type { JobListState, JobSort } from "../shared/wire/rest/job-list.ts";
import type { JobOptionsInput } from "../shared/wire/rest/job-options.ts";
import {
  cancelledGroupSchema,
  jobSchema,
  type CancelledGroup,
  type JobInfo,
} from "../shared/wire/rest/jobs.ts";
import { nextCursorHeader } from "../shared/wire/rest/pages.ts";
import {
  requeuedJobsSchema,
  type Requeue,
  type RequeuedJobs,
  type RequeueJobs,
} from "../shared/wire/rest/requeue.ts";
import { statusSchema, type ServerStatus } from "../shared/wire/rest/status.ts";
import { submittedSchema, type Submitted } from "../shared/wire/rest/submission.ts";
import { jobCostSchema, type JobCostInfo } from "../shared/wire/rest/tasks.ts";
import {
  createdTokenSchema,
  tokenInfoSchema,
  type CreatedToken,
  type Role,
  type TokenInfo,
} from "../shared/wire/rest/tokens.ts";
import { usageSchema, type OwnQuotas, type UsageInfo } from "../shared/wire/rest/usage.ts";
import type { SetVerify } from "../shared/wire/rest/verification.ts";
import { wheelInfoSchema, type WheelInfo } from "../shared/wire/wheels.ts";
import { whySchema, type Why } from "../shared/wire/why.ts";
import { version } from "../shared/version.ts";
import type { HttpClient, Request } from "./http.ts";

/** A line that a kernel wrote with `ctx.log`. */
export interface LogLine {
  /** ms since the Unix epoch. */
  readonly at: number;
  readonly index: number;
  readonly client: string;
  readonly line: string;
}

const logLineSchema = v.object({ at: v.number(), index: v.number(), client: v.string(), line: v.string() });

/** Conditions on listed jobs. */
export interface JobListFilter {
  readonly group?: string | undefined;
  /** Words, each of which must occur in name, customer or group, in any case, or begin the id. */
  readonly search?: string | undefined;
  readonly state?: JobListState | undefined;
  /** The order of the list; newest first by default. */
  readonly sort?: JobSort | undefined;
  /** Most jobs of the list. */
  readonly limit?: number | undefined;
}

type Call = Pick<Request, "signal" | "patienceMs">;

/** The REST interface of a server, a method for each verb; replies are checked against shared/wire/rest. */
export class Api {
  readonly http: HttpClient;

  constructor(http: HttpClient) {
    this.http = http;
  }

  status(call: Call = {}): Promise<ServerStatus> {
    return this.#ask({ method: "GET", path: "api/status", ...call }, statusSchema);
  }

  /** SHA-256 of the headless client in one file, `client.mjs`; undefined where the server serves none. */
  async clientProgramSha256(): Promise<string | undefined> {
    const line = await this.http
      .request({ method: "GET", path: "client.mjs.sha256" }, (reply) => reply.text())
      .catch(() => "");
    return /^[0-9a-f]{64}/.exec(line)?.[0];
  }

  capacity(): Promise<Capacity> {
    return this.#ask({ method: "GET", path: "api/capacity" }, capacitySchema);
  }

  /** @param of - a job's or a client's id; of the server when absent */
  why(of?: { readonly job: string } | { readonly client: string }): Promise<Why> {
    const path =
      of === undefined
        ? "api/why"
        : "job" in of
          ? `api/jobs/${encodeURIComponent(of.job)}/why`
          : `api/clients/${encodeURIComponent(of.client)}/why`;
    return this.#ask({ method: "GET", path }, whySchema);
  }

  clients(): Promise<ClientInfo[]> {
    return this.#ask({ method: "GET", path: "api/clients" }, v.array(clientInfoSchema));
  }

  /** Jobs, newest first, up to `limit`. They are requested in pages, so that neither side holds more than a page needs. */
  async jobs({ limit = Infinity, ...filter }: JobListFilter = {}): Promise<JobInfo[]> {
    const jobs: JobInfo[] = [];
    let cursor: string | undefined;
    do {
      const most = Math.min(limit - jobs.length, limits.jobsPerPage);
      if (most <= 0) break;
      const page = await this.jobPage({ ...filter, limit: most, cursor });
      jobs.push(...page.jobs);
      cursor = page.next;
    } while (cursor !== undefined);
    return jobs;
  }

  /** A page of jobs; `next` is the cursor of the next page, undefined on the last. */
  jobPage(
    query: JobListFilter & { readonly cursor?: string | undefined },
  ): Promise<{ jobs: JobInfo[]; next: string | undefined }> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    let next: string | undefined;
    const path = `api/jobs${search.size > 0 ? `?${search.toString()}` : ""}`;
    return this.#ask({ method: "GET", path }, v.array(jobSchema), (headers) => {
      next = headers.get(nextCursorHeader) ?? undefined;
    }).then((jobs) => ({ jobs, next }));
  }

  cancelGroup(group: string): Promise<CancelledGroup> {
    const path = `api/groups/${encodeURIComponent(group)}/cancel`;
    return this.#ask({ method: "POST", path }, cancelledGroupSchema);
  }

  job(id: JobId, call: Call = {}): Promise<JobInfo> {
    return this.#ask({ method: "GET", path: `api/jobs/${id}`, ...call }, jobSchema);
  }

  putKernel(source: string, call: Call = {}): Promise<{ sha256: Sha256; size: number }> {
    const headers = { "content-type": "text/javascript" };
    return this.#ask(
      { method: "POST", path: "api/kernels", body: source, headers, ...call },
      kernelInfoSchema,
    );
  }

  /** Your kernels (an administrator's: everybody's), oldest first. */
  kernels(): Promise<{ sha256: Sha256; size: number }[]> {
    return this.#ask({ method: "GET", path: "api/kernels" }, v.array(kernelInfoSchema));
  }

  /** Gives up a kernel. @throws PlatformError NOT_FOUND, WRONG_STATE while a job of yours uses the kernel */
  deleteKernel(sha256: Sha256): Promise<void> {
    return this.#tell({ method: "DELETE", path: `api/kernels/${sha256}` });
  }

  /** Gives up a blob. @throws PlatformError NOT_FOUND, WRONG_STATE while a job of yours refers to the blob */
  deleteBlob(sha256: Sha256): Promise<void> {
    return this.#tell({ method: "DELETE", path: `api/blobs/${sha256}` });
  }

  /** Your usage and quota; for an administrator those of every customer that keeps anything. */
  usage(): Promise<UsageInfo[]> {
    return this.#ask({ method: "GET", path: "api/usage" }, v.array(usageSchema));
  }

  /** Gives a customer bounds of its own; what is absent is as for everybody. For administrators. */
  setQuotas(customer: string, own: OwnQuotas): Promise<UsageInfo> {
    const path = `api/quotas/${encodeURIComponent(customer)}`;
    return this.#ask({ method: "PUT", path, ...json(own) }, usageSchema);
  }

  /** Makes a job, or returns the job that was made with the same key. */
  createJob(options: JobOptionsInput & { kernel: Sha256; key: string }, call: Call = {}): Promise<JobInfo> {
    return this.#ask({ method: "POST", path: "api/jobs", ...json(options), ...call }, jobSchema);
  }

  /** Adds tasks: `body` is a pack (shared/wire/task-pack.ts). Idempotent by index. With `close` these tasks are the last. */
  submit(
    id: JobId,
    body: Uint8Array<ArrayBuffer>,
    { close, ...call }: Call & { close?: boolean } = {},
  ): Promise<Submitted> {
    const headers = { "content-type": contentTypes.taskPack };
    const path = `api/jobs/${id}/tasks${close ? "?close=1" : ""}`;
    return this.#ask({ method: "POST", path, body, headers, mayShrink: true, ...call }, submittedSchema);
  }

  /** Calls a verb without parameters. */
  act(id: JobId, verb: "close" | "pause" | "resume" | "cancel", call: Call = {}): Promise<JobInfo> {
    return this.#ask({ method: "POST", path: `api/jobs/${id}/${verb}`, ...call }, jobSchema);
  }

  setPriority(id: JobId, priority: number): Promise<JobInfo> {
    return this.#ask({ method: "POST", path: `api/jobs/${id}/priority`, ...json({ priority }) }, jobSchema);
  }

  setVerify(id: JobId, options: SetVerify): Promise<JobInfo> {
    return this.#ask({ method: "PUT", path: `api/jobs/${id}/verify`, ...json(options) }, jobSchema);
  }

  async requeueFailed(id: JobId, only: Requeue = {}): Promise<number> {
    const schema = v.object({ requeued: v.number() });
    const body = Object.keys(only).length > 0 ? json(only) : {};
    const request = { method: "POST", path: `api/jobs/${id}/requeue-failed`, ...body } as const;
    return (await this.#ask(request, schema)).requeued;
  }

  requeueJobs(which: RequeueJobs): Promise<RequeuedJobs> {
    return this.#ask({ method: "POST", path: "api/requeue-failed", ...json(which) }, requeuedJobsSchema);
  }

  failureGroups(id: JobId): Promise<FailureGroups> {
    return this.#ask({ method: "GET", path: `api/jobs/${id}/failures` }, failureGroupsSchema);
  }

  cost(id: JobId): Promise<JobCostInfo> {
    return this.#ask({ method: "GET", path: `api/jobs/${id}/cost` }, jobCostSchema);
  }

  attach(id: JobId, name: string, body: Uint8Array<ArrayBuffer>, type?: string): Promise<Attachment> {
    const headers = { "content-type": type ?? "application/octet-stream" };
    return this.#ask({ method: "PUT", path: attachmentPath(id, name), body, headers }, attachmentSchema);
  }

  attachments(id: JobId): Promise<Attachment[]> {
    return this.#ask({ method: "GET", path: `api/jobs/${id}/attachments` }, v.array(attachmentSchema));
  }

  attachment(id: JobId, name: string): Promise<Uint8Array> {
    return this.http.request(
      { method: "GET", path: attachmentPath(id, name) },
      async (reply) => new Uint8Array(await reply.arrayBuffer()),
    );
  }

  wheels(call: Call = {}): Promise<WheelInfo[]> {
    return this.#ask({ method: "GET", path: "api/runtime/wheels", ...call }, v.array(wheelInfoSchema));
  }

  putWheel(file: string, body: Uint8Array<ArrayBuffer>): Promise<WheelInfo> {
    const headers = { "content-type": "application/octet-stream" };
    return this.#ask({ method: "PUT", path: wheelPath(file), body, headers }, wheelInfoSchema);
  }

  wheel(file: string, call: Call = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.http.request(
      { method: "GET", path: wheelPath(file), ...call },
      async (reply) => new Uint8Array(await reply.arrayBuffer()),
    );
  }

  deleteWheel(file: string): Promise<void> {
    return this.#tell({ method: "DELETE", path: wheelPath(file) });
  }

  detach(id: JobId, name: string): Promise<void> {
    return this.#tell({ method: "DELETE", path: attachmentPath(id, name) });
  }

  /** What administrators did, newest first, up to `limit`. */
  async audit(limit: number): Promise<AuditEntry[]> {
    const entries: AuditEntry[] = [];
    for (let cursor: string | null = ""; cursor !== null && entries.length < limit;) {
      const most = Math.min(limit - entries.length, recordLimits.auditPage);
      const path: string = `api/audit?limit=${most}${cursor === "" ? "" : `&cursor=${cursor}`}`;
      const page: { next: string | null } = { next: null };
      entries.push(
        ...(await this.#ask({ method: "GET", path }, v.array(auditEntrySchema), (headers) => {
          page.next = headers.get(nextCursorHeader);
        })),
      );
      cursor = page.next;
    }
    return entries;
  }

  deleteJob(id: JobId): Promise<void> {
    return this.#tell({ method: "DELETE", path: `api/jobs/${id}` });
  }

  logs(id: JobId): Promise<LogLine[]> {
    return this.#ask({ method: "GET", path: `api/jobs/${id}/logs` }, v.array(logLineSchema));
  }

  /** The reference of a stored blob. @throws PlatformError NOT_FOUND */
  blob(sha256: Sha256): Promise<DataReference> {
    return this.http
      .request(
        { method: "HEAD", path: `api/blobs/${sha256}` },
        ({ headers }) => new DataReference(sha256, Number(headers.get("content-length"))),
      )
      .catch((error: unknown) => {
        // The reply to HEAD has no body with the message.
        if (PlatformError.from(error).code !== "NOT_FOUND") throw error;
        throw new PlatformError("NOT_FOUND", `There is no blob ${sha256} on the server.`, error, hints.blob);
      });
  }

  createToken(
    role: Role,
    name: string,
    expiresInSeconds?: number,
    maxClients?: number,
  ): Promise<CreatedToken> {
    const body = json({ role, name, expiresInSeconds, maxClients });
    return this.#ask({ method: "POST", path: "api/tokens", ...body }, createdTokenSchema);
  }

  tokens(): Promise<TokenInfo[]> {
    return this.#ask({ method: "GET", path: "api/tokens" }, v.array(tokenInfoSchema));
  }

  /** @param maxClients - null: any number */
  changeToken(id: string, maxClients: number | null): Promise<TokenInfo> {
    const path = `api/tokens/${encodeURIComponent(id)}`;
    return this.#ask({ method: "PATCH", path, ...json({ maxClients }) }, tokenInfoSchema);
  }

  revokeToken(id: string): Promise<void> {
    return this.#tell({ method: "DELETE", path: `api/tokens/${encodeURIComponent(id)}` });
  }

  disconnectClient(id: string): Promise<void> {
    return this.#tell({ method: "POST", path: `api/clients/${encodeURIComponent(id)}/disconnect` });
  }

  banClient(id: string, reason: string): Promise<void> {
    const path = `api/clients/${encodeURIComponent(id)}/ban`;
    return this.#tell({ method: "POST", path, ...json({ reason }) });
  }

  bans(): Promise<BanInfo[]> {
    return this.#ask({ method: "GET", path: "api/bans" }, v.array(banInfoSchema));
  }

  /** @param subject - the banned client id or address */
  liftBan(subject: string): Promise<void> {
    return this.#tell({ method: "DELETE", path: `api/bans/${encodeURIComponent(subject)}` });
  }

  #ask<S extends v.GenericSchema>(
    request: Request,
    schema: S,
    onHeaders?: (headers: Headers) => void,
  ): Promise<v.InferOutput<S>> {
    const headers = { accept: contentTypes.json, ...request.headers };
    return this.http.request({ ...request, headers }, async (response) => {
      const reply = this.#parse(await response.text());
      onHeaders?.(response.headers);
      const parsed = v.safeParse(schema, reply);
      if (parsed.success) return parsed.output;
      const issue = parsed.issues[0];
      throw new PlatformError(
        "UPGRADE_REQUIRED",
        `The server${versionIn(reply)} answers ${request.method} ${request.path} otherwise than this program (${version}) ` +
          `expects: ${v.getDotPath(issue) ?? "reply"}: ${issue.message}.`,
      );
    });
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      const message = `What answers at ${this.http.url} is no Manyhands server: its reply is not JSON.`;
      throw new PlatformError("NOT_FOUND", message, error, hints.server);
    }
  }

  async #tell(request: Request): Promise<void> {
    await this.http.request(request, (response) => response.arrayBuffer());
  }
}

function wheelPath(file: string): string {
  return `api/runtime/wheels/${encodeURIComponent(file)}`;
}

function attachmentPath(id: JobId, name: string): string {
  return `api/jobs/${id}/attachments/${encodeURIComponent(name)}`;
}

function json(body: unknown): { body: string; headers: Record<string, string> } {
  return { body: JSON.stringify(body), headers: { "content-type": contentTypes.json } };
}

/** The server's version, in parentheses, where a reply tells it. */
function versionIn(reply: unknown): string {
  const parsed = v.safeParse(v.object({ version: v.string() }), reply);
  return parsed.success ? ` (${parsed.output.version.slice(0, 40)})` : "";
}
