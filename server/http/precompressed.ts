import type { Request, Response } from "express";
import { stat } from "node:fs/promises";
import { extname, join } from "node:path";

/** What the build puts beside a file (web-client/build/compressed-files.ts), smallest first: browsers list encodings in no useful order. */
const forms = [
  { encoding: "br", ending: ".br" },
  { encoding: "gzip", ending: ".gz" },
  { encoding: undefined, ending: "" },
] as const;

/**
 * Sends a file of the pages in the smallest form that is there and that the browser takes.
 * @param name - relative to `root`, and safe
 * @returns false when there is no such file; then nothing was sent or set
 */
export async function sendPrecompressed(
  req: Request,
  res: Response,
  root: string,
  name: string,
  setHeaders?: (res: Response) => void,
): Promise<boolean> {
  for (const { encoding, ending } of forms) {
    if (encoding && !req.acceptsEncodings(encoding)) continue;
    const found = await stat(join(root, name + ending)).catch(() => undefined);
    if (!found?.isFile()) continue;
    setHeaders?.(res);
    const version = `${found.size.toString(36)}-${Math.trunc(found.mtimeMs).toString(36)}`;
    res.type(extname(name)).set({ ETag: `"${version}"`, Vary: "Accept-Encoding" });
    if (encoding) res.set("Content-Encoding", encoding);
    // The ETag alone says whether the file changed, and no browser asks for a part of one.
    res.sendFile(name + ending, { root, cacheControl: false, lastModified: false, acceptRanges: false });
    return true;
  }
  return false;
}
