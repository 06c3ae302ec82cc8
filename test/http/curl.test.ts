import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { ResultLine } from "../../shared/wire/rest/results.ts";
import { startHttpServer } from "../support/http-server.ts";
import { root, temporaryDirectory } from "../support/processes.ts";
import { sha256 } from "../support/rest.ts";
import { skipped } from "../support/skipped.ts";

const exec = promisify(execFile);
const hasCurl = await exec("curl", ["--version"]).then(
  () => true,
  () => false,
);
const whyNoCurl = skipped(!hasCurl, "curl is not installed");

test.skipIf(!hasCurl)(`[FEED-6] the recipe of docs/reduce.md${whyNoCurl}`, async () => {
  const text = await readFile(join(root, "docs/reduce.md"), "utf8");
  const [, recipe] = /^```sh\n([^]*?)^```/m.exec(text)!;
  const server = await startHttpServer();
  server.client((x) => (Array.isArray(x) ? (x as number[]).reduce((a, b) => a + b) : (x as number) ** 2));
  const env = { ...process.env, H: `authorization: Bearer ${server.tokens.customer}`, S: server.url };
  const { stdout } = await exec("bash", ["-c", recipe!], { env });
  expect(stdout).toMatch(/"output":55\b/);
});

test.skipIf(!hasCurl)(`a whole job with curl alone${whyNoCurl}`, async () => {
  const server = await startHttpServer();
  const directory = await temporaryDirectory();
  const curl = async (...parts: string[]): Promise<string> => {
    const common = ["-sS", "--fail-with-body", "-H", `Authorization: Bearer ${server.tokens.customer}`];
    return (await exec("curl", [...common, ...parts], { cwd: directory })).stdout;
  };
  await writeFile(join(directory, "kernel.js"), "export default ({ n }) => n * n;\n");
  const inputs = [1, 2, 3].map((n) => `{"input":{"n":${n}}}\n`).join("");
  await writeFile(join(directory, "inputs.ndjson.gz"), gzipSync(inputs));
  await writeFile(join(directory, "map.mrc"), Buffer.alloc(3_000_000, 1));
  const blob = sha256(Buffer.alloc(3_000_000, 1));

  await curl("-T", "map.mrc", `${server.url}/api/blobs/${blob}`);
  const posted = await curl(
    "--data-binary",
    "@kernel.js",
    "-H",
    "Content-Type: text/javascript",
    `${server.url}/api/kernels`,
  );
  const { sha256: kernel } = JSON.parse(posted) as { sha256: string };
  const made = await curl("--json", JSON.stringify({ kernel, name: "squares" }), `${server.url}/api/jobs`);
  const { id } = JSON.parse(made) as JobInfo;
  const job = `${server.url}/api/jobs/${id}`;
  const submitted = await curl(
    "--data-binary",
    "@inputs.ndjson.gz",
    "-H",
    "Content-Type: application/x-ndjson",
    "-H",
    "Content-Encoding: gzip",
    `${job}/tasks`,
  );
  expect(JSON.parse(submitted)).toEqual({ added: 3, repeated: 0, total: 3 });
  await curl("-X", "POST", `${job}/close`);
  server.client((input) => (input as { n: number }).n ** 2);
  const results = (await curl("-N", "--compressed", `${job}/results?follow=1`))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as ResultLine);
  expect(results.map((line) => (line.state === "done" ? line.output : line.state))).toEqual([1, 4, 9, "end"]);
  expect(JSON.parse(await curl(job))).toMatchObject({ state: "finished", counts: { done: 3 } });
  expect(await curl("-r", "0-9", `${server.url}/api/blobs/${blob}`)).toHaveLength(10);
  await curl("-X", "DELETE", job);
  await expect(curl(job)).rejects.toMatchObject({ stdout: expect.stringContaining("NOT_FOUND") });
});
