import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { PlatformError } from "../../../shared/errors.ts";
import type { Routes } from "../context.ts";

const file = new URL("../../../python/manyhands.py", import.meta.url);

/** The Python module, so that a machine without a clone gets the one of its server's version. */
export function pythonRoutes(): Routes<"GET /manyhands.py"> {
  return {
    "GET /manyhands.py": async ({ req, res }) => {
      const source = await readFile(file).catch((error: unknown) => {
        throw new PlatformError("NOT_FOUND", "This server was installed without its Python module.", error);
      });
      const sha256 = createHash("sha256").update(source).digest("hex");
      res.set({ "Cache-Control": "no-cache", ETag: `"${sha256}"` });
      if (req.fresh) return void res.status(304).end();
      res.type("text/x-python").end(source);
    },
  };
}
