import { PlatformError } from "../../../shared/errors.ts";
import { recordLimits } from "../../../shared/limits.ts";
import { attachmentNameSchema, attachmentTypes } from "../../../shared/wire/rest/attachments.ts";
import { check, readBody } from "../body.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { jobOf } from "../ownership.ts";
import { parameter, reply } from "../reply.ts";

type Names =
  | "GET /api/jobs/{id}/attachments"
  | "PUT /api/jobs/{id}/attachments/{name}"
  | "GET /api/jobs/{id}/attachments/{name}"
  | "DELETE /api/jobs/{id}/attachments/{name}";

type Type = (typeof attachmentTypes)[keyof typeof attachmentTypes];

/**
 * Policy of an attachment that a browser shows: nothing in it runs, and it loads nothing. An SVG in an `<img>` runs and loads nothing anyway;
 * one that is opened by itself has styles, and an origin of its own.
 */
const attachmentPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox";

const pngSignature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** What customers attach to their jobs: pictures, texts, tables. */
export function attachmentRoutes({ platform }: HttpParts): Routes<Names> {
  return {
    "GET /api/jobs/{id}/attachments": async (call) => {
      const { id } = await jobOf(call, platform);
      reply(call, await platform.attachments(id));
    },
    "PUT /api/jobs/{id}/attachments/{name}": async (call) => {
      const { id } = await jobOf(call, platform);
      const name = nameOf(call);
      const type = typeOf(call, name);
      const content = await readBody(call.req, call.res, recordLimits.attachmentBytes);
      mustBe(type, content);
      reply(call, await platform.attach(id, { name, type, content }));
    },
    "GET /api/jobs/{id}/attachments/{name}": async (call) => {
      const { id } = await jobOf(call, platform);
      const name = nameOf(call);
      const found = await platform.attachment(id, name);
      if (!found) throw noAttachment(id, name);
      const isText = found.type.startsWith("text/");
      call.res.set({
        "Content-Type": isText ? `${found.type}; charset=utf-8` : found.type,
        "Content-Security-Policy": attachmentPolicy,
        "Content-Disposition": `inline; filename*=UTF-8''${encodeURIComponent(name).replaceAll(/['()*]/g, escaped)}`,
        "Cache-Control": "private, no-cache",
      });
      call.res.end(found.content);
    },
    "DELETE /api/jobs/{id}/attachments/{name}": async (call) => {
      const { id } = await jobOf(call, platform);
      const name = nameOf(call);
      if (!(await platform.detach(id, name))) throw noAttachment(id, name);
      await call.note(name);
      call.res.status(204).end();
    },
  };
}

function nameOf(call: Call): string {
  return check(attachmentNameSchema, parameter(call, "name"), "address");
}

function noAttachment(id: string, name: string): PlatformError {
  return new PlatformError("NOT_FOUND", `Job ${id} has no attachment ${name}.`);
}

function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** The type that the request names, or else the one of the name's ending. @throws PlatformError UNSUPPORTED_TYPE */
function typeOf({ req }: Call, name: string): Type {
  const types = Object.values(attachmentTypes);
  const named = types.find((type) => req.is(type));
  if (named !== undefined) return named;
  const given = req.headers["content-type"];
  const ending = name.split(".").at(-1)?.toLowerCase() ?? "";
  const known = attachmentTypes[ending as keyof typeof attachmentTypes] as Type | undefined;
  if (known !== undefined && (given === undefined || req.is("application/octet-stream"))) return known;
  throw new PlatformError(
    "UNSUPPORTED_TYPE",
    `The attachment's Content-Type is ${given ?? "absent"}; expected ${types.join(", ")}, or a name that ends in ${Object.keys(attachmentTypes).join(", ")}.`,
  );
}

/** @throws PlatformError BAD_REQUEST when the bytes are not what their type says */
function mustBe(type: Type, content: Buffer): void {
  if (type === "image/png") {
    if (!content.subarray(0, 8).equals(pngSignature))
      throw new PlatformError("BAD_REQUEST", "The bytes are no PNG: they do not begin with its signature.");
    return;
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch (error) {
    throw new PlatformError("BAD_REQUEST", `The bytes are no ${type}: expected text in UTF-8.`, error);
  }
  if (text.includes("\0"))
    throw new PlatformError("BAD_REQUEST", `The bytes are no ${type}: they contain a character 0.`);
  if (type === "image/svg+xml" && !/<svg[\s>]/.test(text))
    throw new PlatformError("BAD_REQUEST", "The text is no SVG: it has no <svg> element.");
}
