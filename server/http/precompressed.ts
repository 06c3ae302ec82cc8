import type { Request, Response } from "express";
import { stat } from "node:fs/promises";
import { extname, join } from "node:path";

/**
 * Compressed forms beside a file (web-client/build/compressed-files.ts), smallest first, because browsers list encodings in no
 * useful order.
 */
const forms = [
  { encoding: "br", ending: ".br" },
  { encoding: "gzip", ending: ".gz" },
  { encoding: undefined, ending: "" },
] as const;

/**
 * Sends a file of the pages in the smallest form that exists and that the browser accepts.
 * @param name - relative to `root`, and safe
 * @returns false when there is no such file; then the reply is untouched
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
    // The ETag alone shows whether the file changed, and browsers request no ranges of these files.
    res.sendFile(name + ending, { root, cacheControl: false, lastModified: false, acceptRanges: false });
    return true;
  }
  return false;
}
