import type { Request, Response } from "express";
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { extname } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

type Encoding = "br" | "gzip" | "identity";

interface Entry {
  readonly version: string;
  readonly etag: string;
  readonly bodies: Partial<Record<Encoding, Promise<Buffer>>>;
}

const maxBytes = 8 * 1024 * 1024;
const maxFiles = 200;
const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

/**
 * Files of the pages, each compressed once at its best and kept: a lab of 500 machines opens the page at 9 o'clock, and
 * the first byte counts more than the server's memory.
 */
export class PrecompressedFiles {
  readonly #entries = new Map<string, Entry>();

  /** Sends a file; false when there is none (or it is too large to keep), and then nothing was sent or set. */
  async send(
    req: Request,
    res: Response,
    path: string,
    setHeaders?: (res: Response) => void,
  ): Promise<boolean> {
    const entry = await this.#entry(path);
    if (!entry) return false;
    setHeaders?.(res);
    const encoding = bestEncoding(req);
    const body = await (entry.bodies[encoding] ??= compress(await entry.bodies.identity!, encoding));
    res.type(extname(path)).set({ ETag: `W/"${entry.etag}"`, Vary: "Accept-Encoding" });
    if (encoding !== "identity") res.setHeader("Content-Encoding", encoding);
    // Express compares the ETag, answers 304 and leaves the body out for HEAD.
    res.send(body);
    return true;
  }

  async #entry(path: string): Promise<Entry | undefined> {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile() || found.size > maxBytes) return undefined;
    const version = `${found.mtimeMs}-${found.size}`;
    const known = this.#entries.get(path);
    if (known?.version === version) return known;
    const body = await readFile(path);
    const etag = createHash("sha256").update(body).digest("base64url").slice(0, 22);
    const entry: Entry = { version, etag, bodies: { identity: Promise.resolve(body) } };
    if (this.#entries.size >= maxFiles) this.#entries.clear();
    this.#entries.set(path, entry);
    return entry;
  }
}

/** The smallest the browser takes; browsers list theirs in no useful order. */
function bestEncoding(req: Request): Encoding {
  if (req.acceptsEncodings("br")) return "br";
  return req.acceptsEncodings("gzip") ? "gzip" : "identity";
}

async function compress(body: Buffer, encoding: Encoding): Promise<Buffer> {
  if (encoding === "identity") return body;
  // Less memory makes it start new Huffman tables more often: 0.4 % smaller here than the default of 8; 6 and 9 are larger.
  if (encoding === "gzip") return zip(body, { level: 9, memLevel: 7 });
  return brotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
}
