import type { Logger } from "pino";
import type { Access } from "../../server/access/access.ts";
import { authorise, maySee, type Caller } from "../../server/access/rules.ts";
import type { LocalPlatform } from "../../server/dispatch/local-platform.ts";
import { check, parseJson } from "../../server/http/body.ts";
import { packedResults } from "../../server/http/result-items.ts";
import { PlatformError } from "../../shared/errors.ts";
import { jobIdSchema, type JobId, type Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { createJobSchema } from "../../shared/wire/rest/job-options.ts";
import { hasEnded } from "../../shared/wire/rest/job-state.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { readTaskPack } from "../../shared/wire/task-pack.ts";
import type { ServerReply, SimulatedRequest } from "./requests.ts";

interface Parts {
  readonly platform: LocalPlatform;
  readonly access: Access;
  readonly log: Logger;
}

/**
 * Answers a request as the HTTP side of a server does, without Express and streams of bytes: the same checks, the same verbs of the
 * platform in the same order, the same forms of bodies.
 */
export async function answer(parts: Parts, request: SimulatedRequest, reply: ServerReply): Promise<void> {
  let hasBegun = false;
  const noting: ServerReply = {
    ...reply,
    begin: (status, headers) => {
      hasBegun = true;
      reply.begin(status, headers);
    },
  };
  try {
    await route(parts, request, noting);
  } catch (error) {
    const refusal = PlatformError.from(error);
    if (refusal.code === "INTERNAL") parts.log.error({ err: refusal.cause ?? refusal }, "request failed");
    if (hasBegun) return reply.destroy();
    const { status } = refusal;
    reply.begin(status, status === 429 || status === 503 ? { "retry-after": "2" } : {});
    reply.write(Buffer.from(JSON.stringify(refusal.toBody())));
    reply.end();
  }
}

async function route(parts: Parts, request: SimulatedRequest, reply: ServerReply): Promise<void> {
  const { platform } = parts;
  const { method, path } = request;
  const url = new URL(path, "http://server/");
  const [, , noun = "", id = "", verb = ""] = url.pathname.split("/");
  const caller = await callerOf(parts, request);
  const tell = (value: object, status = 200): void => {
    reply.begin(status);
    reply.write(Buffer.from(JSON.stringify(value)));
    reply.end();
  };
  switch (`${method} ${noun}${id && "/{id}"}${verb && `/${verb}`}`) {
    case "POST kernels": {
      authorise("POST /api/kernels", caller);
      const { sha256, size, created } = await platform.putKernel(request.body!, nameOf(caller));
      return tell({ sha256, size }, created ? 201 : 200);
    }
    case "GET blobs/{id}": {
      authorise("GET /api/blobs/{sha256}", caller);
      return sendKernel(platform, caller, id as Sha256, reply);
    }
    case "POST jobs": {
      authorise("POST /api/jobs", caller);
      const {
        kernel,
        inputs: _,
        open: __,
        ...options
      } = check(createJobSchema, parseJson(request.body!, "body"), "body");
      const customer = nameOf(caller);
      const { job, created } = await platform.createJob({ ...options, customer, kernel: kernel as Sha256 });
      return tell(job, created ? 201 : 200);
    }
    case "GET jobs/{id}":
      return tell(await jobOf(platform, caller, id));
    case "DELETE jobs/{id}":
      await platform.deleteJob((await jobOf(platform, caller, id)).id);
      reply.begin(204);
      return reply.end();
    case "POST jobs/{id}/tasks": {
      const job = await jobOf(platform, caller, id);
      const submitted = await platform.submit(job.id, readTaskPack(request.body!));
      if (url.searchParams.get("close") === "1") await platform.closeJob(job.id);
      return tell(submitted);
    }
    case "POST jobs/{id}/close":
      return tell(await platform.closeJob((await jobOf(platform, caller, id)).id));
    case "POST jobs/{id}/pause":
      return tell(await platform.pause((await jobOf(platform, caller, id)).id));
    case "POST jobs/{id}/resume":
      return tell(await platform.resume((await jobOf(platform, caller, id)).id));
    case "POST jobs/{id}/cancel":
      return tell(await platform.cancel((await jobOf(platform, caller, id)).id));
    case "POST jobs/{id}/requeue-failed":
      return tell(await platform.requeueFailed((await jobOf(platform, caller, id)).id));
    case "GET jobs/{id}/results": {
      const job = await jobOf(platform, caller, id);
      return sendResults(platform, job.id, Number(url.searchParams.get("after")), reply);
    }
    default:
      throw new PlatformError("NOT_FOUND", `There is nothing at ${method} ${path}.`);
  }
}

async function callerOf({ platform, access }: Parts, request: SimulatedRequest): Promise<Caller | undefined> {
  const secret = request.headers["authorization"]?.slice("Bearer ".length);
  if (secret === undefined) return undefined;
  const client = platform.clientOfTicket(secret);
  if (client) return { kind: "ticket", client: client.id, trusted: client.trusted };
  const principal = await access.authenticate(secret);
  return principal && { kind: "token", ...principal };
}

function nameOf(caller: Caller | undefined): string {
  if (caller?.kind === "token") return caller.name;
  throw new PlatformError("FORBIDDEN", "This is for customers.");
}

async function jobOf(platform: LocalPlatform, caller: Caller | undefined, text: string): Promise<JobInfo> {
  authorise("GET /api/jobs/{id}", caller);
  const id: JobId = check(jobIdSchema, text, "job id");
  const job = await platform.job(id);
  if (caller?.kind === "token" && maySee(caller, job.customer)) return job;
  throw new PlatformError("NOT_FOUND", `There is no job ${id}.`);
}

async function sendKernel(
  platform: LocalPlatform,
  caller: Caller | undefined,
  sha256: Sha256,
  reply: ServerReply,
): Promise<void> {
  const may = caller?.kind === "ticket" && (await platform.clientMayRead(caller.client, sha256));
  const source = may ? await platform.kernel(sha256) : undefined;
  if (!source) throw new PlatformError("NOT_FOUND", `There is no blob ${sha256}.`);
  reply.begin(200);
  reply.write(source);
  reply.end();
}

/** The loop of the results' route (server/http/routes/results.ts) for a reader that follows. */
async function sendResults(
  platform: LocalPlatform,
  id: JobId,
  start: number,
  reply: ServerReply,
): Promise<void> {
  const { gone } = reply;
  const pageSize = { items: 5000, bytes: 1024 * 1024 };
  let after = start;
  let isNews = true;
  let ended: JobInfo | undefined;
  reply.begin(200);
  while (!gone.aborted) {
    const page = await platform.results(id, after, pageSize);
    if (page.length > 0) {
      for (const part of packedResults.parts(page)) reply.write(part as Uint8Array);
      after = page.at(-1)!.seq;
      ended = undefined;
    } else {
      if (ended) {
        reply.write(packedResults.end(ended) as Uint8Array);
        break;
      }
      const job = await platform.job(id);
      if (hasEnded(job.state)) {
        ended = job;
        continue;
      }
      if (!isNews) reply.write(packedResults.keepAlive as Uint8Array);
    }
    isNews = false;
    await platform.resultsChanged(id, after, gone, limits.signOfLifeMs);
  }
  reply.end();
}
