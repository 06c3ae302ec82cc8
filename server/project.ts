import { dirname, resolve } from "node:path";
import * as v from "valibot";
import { messageOf, PlatformError } from "../shared/errors.ts";
import { readSmallFile } from "../system/read-small-file.ts";
import { accentsOf, type Accents } from "./project-colours.ts";

const fileBytes = 16 * 1024;
const pictureBytes = 512 * 1024;

/** The project for which volunteers compute, as its administrator describes it (SPEC.md [VOLUNTEER-1]). */
export interface Project {
  readonly title: string;
  readonly text: string;
  readonly link: string | undefined;
  readonly picture: { readonly type: string; readonly bytes: Buffer } | undefined;
  readonly accents: Accents | undefined;
}

const line = (most: number) =>
  v.pipe(
    v.string(),
    v.trim(),
    v.minLength(1, "expected a text"),
    v.maxLength(most, `expected at most ${most} characters`),
    v.check((text) => !/\p{Cc}/u.test(text), "expected one line without control characters"),
  );

const projectSchema = v.strictObject({
  title: line(80),
  text: line(400),
  link: v.optional(
    v.pipe(
      v.string(),
      v.maxLength(500, "expected at most 500 characters"),
      v.url("expected an address such as https://example.org"),
      v.regex(/^https?:/, "expected an address that begins with https: or http:"),
    ),
  ),
  picture: v.optional(v.pipe(v.string(), v.minLength(1, "expected the name of a file"))),
  colour: v.optional(v.pipe(v.string(), v.regex(/^#[\da-f]{6}$/i, "expected a colour such as #1a5fb4"))),
});

/**
 * Reads a project and its picture, whose path is relative to the file.
 * @throws PlatformError BAD_OPTION naming the file and what is wrong in it
 */
export function readProject(file: string): Project {
  const { picture, colour, title, text, link } = parse(file);
  return {
    title,
    text,
    link,
    picture: picture === undefined ? undefined : readPicture(resolve(dirname(file), picture)),
    accents: colour === undefined ? undefined : accentsOf(colour),
  };
}

function parse(file: string): v.InferOutput<typeof projectSchema> {
  let raw: unknown;
  try {
    raw = JSON.parse(
      read(file, fileBytes)
        .toString("utf8")
        .replace(/^\uFEFF/, ""),
    );
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw wrong(`${file} is no JSON: ${messageOf(error)}.`, error);
  }
  const parsed = v.safeParse(projectSchema, raw, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue);
  throw wrong(
    `${file} does not describe a project: ${path === null ? "" : `${path}: `}${issue.message}. It has title and text, and may have link, picture and colour.`,
  );
}

/** The first bytes of the kinds of pictures that every browser shows. */
const kinds = [
  { type: "image/png", is: (bytes: Buffer) => bytes.subarray(1, 4).toString("latin1") === "PNG" },
  { type: "image/jpeg", is: (bytes: Buffer) => bytes.readUInt16BE() === 0xffd8 },
  { type: "image/webp", is: (bytes: Buffer) => bytes.subarray(8, 12).toString("latin1") === "WEBP" },
  {
    type: "image/svg+xml",
    is: (bytes: Buffer) => /^\uFEFF?\s*<(?:svg|\?xml|!--)/.test(bytes.toString("utf8", 0, 200)),
  },
] as const;

function readPicture(file: string): { type: string; bytes: Buffer } {
  const bytes = read(file, pictureBytes);
  const kind = bytes.length > 12 ? kinds.find(({ is }) => is(bytes)) : undefined;
  if (kind) return { type: kind.type, bytes };
  throw wrong(`The project's picture ${file} is none; expected PNG, JPEG, WebP or SVG.`);
}

function read(file: string, mostBytes: number): Buffer {
  try {
    return readSmallFile(file, mostBytes);
  } catch (error) {
    throw wrong(`--project: ${file} cannot be read: ${messageOf(error)}.`, error);
  }
}

function wrong(message: string, cause?: unknown): PlatformError {
  return new PlatformError("BAD_OPTION", message, cause);
}
