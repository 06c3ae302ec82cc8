import { createHash } from "node:crypto";
import express from "express";
import type { ClientProgram } from "../options.ts";

/** The headless client in one file at `/client.mjs`, and its SHA-256 as `sha256sum -c` reads it (SPEC.md [NODE-1]). */
export function clientProgram(make: ClientProgram): express.Router {
  const router = express.Router();
  router.get("/client.mjs", async (_req, res) => {
    res
      .set("Cache-Control", "no-cache")
      .type("text/javascript")
      .send(await make());
  });
  router.get("/client.mjs.sha256", async (_req, res) => {
    const sha256 = createHash("sha256")
      .update(await make())
      .digest("hex");
    res.set("Cache-Control", "no-cache").type("text/plain").send(`${sha256}  client.mjs\n`);
  });
  return router;
}
