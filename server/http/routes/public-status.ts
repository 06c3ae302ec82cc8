import { createHash } from "node:crypto";
import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import type { JobInfo } from "../../../shared/wire/rest/jobs.ts";
import type { PublicStatus } from "../../../shared/wire/rest/public-status.ts";
import type { HttpParts, Routes } from "../context.ts";
import { publicPage, publicPageLanguages, publicStyle } from "../public-page.ts";
import { reply } from "../reply.ts";

/** Jobs that are told. */
const jobsShown = 50;
/** All visitors get one picture for this long. */
const freshMs = 2_000;

/** The page has no script; its one style is named by its hash. */
const pagePolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(publicStyle).digest("base64")}'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

/** The progress of the project for anybody, where the administrator switched it on. */
export function publicStatusRoutes({
  platform,
  options,
  project,
}: HttpParts): Routes<"GET /api/public-status" | "GET /status"> {
  let picture: { readonly status: Promise<PublicStatus>; readonly at: number } | undefined;
  const newest = (): Promise<PublicStatus> => {
    const now = performance.now();
    if (!picture || now - picture.at > freshMs) picture = { status: describe(platform), at: now };
    return picture.status;
  };
  const mustBeOn = (): void => {
    if (!options.publicStatus)
      throw new PlatformError(
        "NOT_FOUND",
        "This server has no public page; --public-status switches it on.",
        undefined,
        hints.address,
      );
  };
  return {
    "GET /api/public-status": async (call) => {
      mustBeOn();
      reply(call, await newest());
    },
    "GET /status": async ({ req, res }) => {
      mustBeOn();
      const accepted = req.acceptsLanguages(publicPageLanguages);
      const language = publicPageLanguages.find((each) => each === accepted) ?? "en";
      res
        .set({ "Content-Security-Policy": pagePolicy, "Cache-Control": "no-cache" })
        .vary("Accept-Language")
        .type("html")
        .send(publicPage(await newest(), project, options.volunteers === "open", language));
    },
  };
}

async function describe(platform: HttpParts["platform"]): Promise<PublicStatus> {
  const { status, jobs } = await platform.snapshot();
  const shown = jobs.filter(({ endedAt }) => endedAt === null).slice(0, jobsShown);
  return {
    clients: status.clients.browser + status.clients.node,
    slots: status.clients.slots,
    busy: status.clients.busy,
    rate: status.rate,
    tasksDone: status.tasks.done,
    tasksWaiting: status.tasks.queued,
    startedAt: status.startedAt,
    jobs: shown.map(progressOf),
    jobCount: status.jobs,
  };
}

function progressOf({
  name,
  customer,
  counts,
  fraction,
  rate,
  estimatedMs,
  ...job
}: JobInfo): PublicStatus["jobs"][number] {
  const isPublic = job.public === true;
  return {
    name: isPublic ? name : null,
    customer: isPublic ? customer : null,
    fraction,
    total: counts.total,
    done: counts.done,
    rate,
    estimatedMs,
  };
}
