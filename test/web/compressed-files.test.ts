import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { buildWeb } from "../support/web-build.ts";

test("every page, script and style of the build has its compressed forms beside it", async () => {
  const build = await buildWeb();
  onTestFinished(() => build.dispose());
  const names = await readdir(build.directory, { recursive: true });
  const sources = names.filter((name) => /\.(html|js|css)$/.test(name));
  expect(sources).toEqual(expect.arrayContaining(["index.html", "admin.html", "sandbox.html", "arbiter.js"]));
  for (const name of sources) {
    const path = join(build.directory, name);
    const bytes = await readFile(path);
    expect(brotliDecompressSync(await readFile(`${path}.br`)), name).toEqual(bytes);
    expect(gunzipSync(await readFile(`${path}.gz`)), name).toEqual(bytes);
  }
});
