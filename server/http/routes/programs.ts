import { createHash } from "node:crypto";
import { PlatformError } from "../../../shared/errors.ts";
import type { CustomerCode } from "../../options.ts";
import type { Call, HttpParts, Routes } from "../context.ts";

/** Code for customers without npm, so that a machine without a clone gets that of its server's version. */
export function programRoutes({
  customerCode,
}: Pick<HttpParts, "customerCode">): Routes<
  "GET /manyhands.py" | "GET /manyhands_eman2.py" | "GET /wasi.js"
> {
  const sends =
    (type: string, read: (code: CustomerCode) => Promise<string>) =>
    async (call: Call): Promise<void> => {
      if (!customerCode) throw new PlatformError("NOT_FOUND", "This server has no code for customers.");
      send(call, await read(customerCode), type);
    };
  return {
    "GET /manyhands.py": sends("text/x-python", (code) => code.pythonModule()),
    "GET /manyhands_eman2.py": sends("text/x-python", (code) => code.pythonModule("manyhands_eman2")),
    "GET /wasi.js": sends("text/javascript", (code) => code.programCode()),
  };
}

function send({ req, res }: Call, source: string, type: string): void {
  const sha256 = createHash("sha256").update(source).digest("hex");
  res.set({ "Cache-Control": "no-cache", ETag: `"${sha256}"` });
  if (req.fresh) return void res.status(304).end();
  res.type(type).end(source);
}
