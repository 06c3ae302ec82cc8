import express from "express";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Platform } from "../platform.ts";
import type { Project } from "../project.ts";

const compressors = {
  br: (bytes: Buffer) =>
    promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  gzip: (bytes: Buffer) => promisify(gzip)(bytes, { level: 9 }),
} as const;

/** What the volunteer page asks for after its first task: the project's picture and progress, and the manifest of the page as an app. */
export function projectRoutes(
  project: Project | undefined,
  platform: Pick<Platform, "status">,
  takesVolunteers: boolean,
): express.Router {
  const router = express.Router();
  router.get("/manifest.webmanifest", (_req, res) => {
    res
      .type("application/manifest+json")
      .set("Cache-Control", "no-cache")
      .send(JSON.stringify(manifestOf(project)));
  });
  if (!project) return router;
  const { picture } = project;
  if (picture)
    router.get("/project/picture", (_req, res) => {
      res.type(picture.type).set("Cache-Control", "public, max-age=3600").send(picture.bytes);
    });
  const progress = sharedFor(progressMs, () => progressOf(platform));
  router.get("/project/progress", async (_req, res) => {
    res.set("Cache-Control", "no-store").json({ ...(await progress()), joins: takesVolunteers });
  });
  return router;
}

function manifestOf(project: Project | undefined): object {
  const { light } = project?.accents ?? {};
  return {
    name: project?.title ?? "Manyhands",
    short_name: project?.title.slice(0, 12) ?? "Manyhands",
    ...(project && { description: project.text }),
    start_url: "./",
    scope: "./",
    display: "standalone",
    background_color: "#f6f7f9",
    theme_color: light?.accent ?? "#1a5fb4",
    icons: [{ src: "favicon.svg", sizes: "any", type: "image/svg+xml", purpose: "any" }],
  };
}

/** Everybody may ask for the progress: the server finds it out once in this time. */
const progressMs = 5_000;

/** Clients, and tasks of all jobs that are kept. */
async function progressOf(platform: Pick<Platform, "status">): Promise<object> {
  const { clients, tasks } = await platform.status();
  return {
    clients: clients.browser + clients.node,
    done: tasks.done,
    open: tasks.queued + tasks.running + tasks.provisional,
  };
}

function sharedFor<T>(ms: number, make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  let madeAt = -Infinity;
  return () => {
    const now = performance.now();
    if (!made || now - madeAt >= ms) {
      madeAt = now;
      made = make();
      made.catch(() => (made = undefined));
    }
    return made;
  };
}

/** The volunteer page with its project. */
export interface ProjectPage {
  readonly html: string;
  readonly version: string;
  /** The bytes in an encoding, undefined for none. */
  bytes(encoding: keyof typeof compressors | undefined): Promise<Buffer>;
}

/** @returns a function that puts the project into the built page; the same page for the same build */
export function projectPages(project: Project): (html: string) => ProjectPage {
  let from: string | undefined;
  let page: ProjectPage;
  return (html) => {
    if (html !== from) {
      from = html;
      page = makePage(withProject(html, project));
    }
    return page;
  };
}

function makePage(html: string): ProjectPage {
  const plain = Buffer.from(html);
  const compressed = new Map<string, Promise<Buffer>>();
  return {
    html,
    version: createHash("sha256").update(plain).digest("base64url").slice(0, 16),
    async bytes(encoding) {
      if (!encoding) return plain;
      let bytes = compressed.get(encoding);
      if (!bytes) compressed.set(encoding, (bytes = compressors[encoding](plain)));
      return bytes;
    },
  };
}

/** The page needs no request for its project: the text stands in it, as a block of data that no browser runs, and the colours as style. */
export function withProject(html: string, { title, text, link, picture, accents }: Project): string {
  const shown = {
    title,
    text,
    ...(link !== undefined && { link }),
    ...(picture && { picture: "project/picture" }),
  };
  const style = accents
    ? `<style>${rootOf(accents.light)}@media(prefers-color-scheme:dark){${rootOf(accents.dark)}}</style>`
    : "";
  // Functions, because `$` in a replacement text means something.
  return html
    .replace("<title>Manyhands</title>", () => `<title>${escapeHtml(title)}</title>`)
    .replace(
      /(<meta\s+name="description"\s+content=")[^"]*/,
      (_all, before: string) => before + escapeHtml(text),
    )
    .replace(
      "</head>",
      () => `${style}<script type="application/json" id="project">${escapeJson(shown)}</script></head>`,
    );
}

/** The page's own rules come before and set the same properties. */
function rootOf({ accent, strong, on }: { accent: string; strong: string; on: string }): string {
  return `:root{--accent:${accent};--accent-strong:${strong};--on-accent:${on}}`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** JSON in which nothing ends the script element or changes how it is read. */
function escapeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}
