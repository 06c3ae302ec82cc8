import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeValue, encodeValue, type Value } from "../../shared/codec.ts";
import { kernelVectors, type KernelVector } from "../contract/kernel-vectors.ts";
import { callHarness, labHost, launchBrowser, openHarness } from "../support/browser.ts";
import { startStaticServer, type StaticServer } from "../support/static-server.ts";
import { buildWeb, type WebBuild } from "../support/web-build.ts";

let build: WebBuild;
let server: StaticServer;
let browser: Browser;

beforeAll(async () => {
  build = await buildWeb("harness.page.ts");
  server = await startStaticServer(build.directory);
  // A worker out of memory takes the whole process of its frame along; small heaps make that quick.
  browser = await launchBrowser({ isolateSandboxes: true, args: ["--js-flags=--max-old-space-size=128"] });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await build?.dispose();
});

interface Outcome {
  readonly state: string;
  readonly output?: string;
  readonly kind?: string;
  readonly message?: string;
  readonly stack?: string;
  readonly progress?: number;
  readonly checkpoint?: string;
  readonly log: readonly string[];
}

describe("kernel vectors in the browser's sandbox", () => {
  let page: Page;
  beforeAll(async () => {
    page = await browser.newPage();
    await openHarness(page, server.port, labHost);
  });

  it.each(kernelVectors.map((vector) => [vector.name, vector] as const))("%s", async (_name, vector) => {
    check(vector, await run(page, vector));
  });
});

async function run(page: Page, vector: KernelVector): Promise<Outcome> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  return callHarness<Outcome>(page, "vector", {
    source: vector.source,
    input: text(encodeValue(vector.input)),
    ...(vector.resume !== undefined && { resume: text(encodeValue(vector.resume)) }),
    blobs: (vector.blobs ?? []).map(text),
    silentMs: vector.expect.state === "hangs" ? 500 : 45_000,
  });
}

function check({ expect: wanted }: KernelVector, found: Outcome): void {
  const value = (encoded: string | undefined): Value =>
    encoded === undefined ? undefined : decodeValue(new Uint8Array(Buffer.from(encoded, "base64")));
  expect(found).toMatchObject({ state: wanted.state });
  if (wanted.state === "done") expect(value(found.output)).toEqual(wanted.output);
  if (wanted.state === "failed") {
    expect(found.kind).toBe(wanted.kind);
    expect(found.message).toMatch(wanted.message);
    if (wanted.stack) expect(found.stack).toMatch(wanted.stack);
  }
  if (wanted.state === "unloadable") expect(found.message).toMatch(wanted.message);
  if (wanted.progress !== undefined) expect(found.progress).toBe(wanted.progress);
  if (wanted.checkpoint !== undefined) expect(value(found.checkpoint)).toEqual(wanted.checkpoint);
  if (wanted.log !== undefined) expect(found.log).toEqual(wanted.log);
}
