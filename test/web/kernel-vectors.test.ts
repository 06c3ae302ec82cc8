import type { Page } from "puppeteer";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import { origins, type Origin } from "../contract/cached-reads.ts";
import { dataVectors, kernelVectors, type KernelVector } from "../contract/kernel-vectors.ts";
import { callHarness, labHost, openHarness } from "../support/browser.ts";
import { useHarnessSite } from "../support/harness-site.ts";

// A worker out of memory crashes the process of its frame, which small heaps make quick.
const site = useHarnessSite({ isolateSandboxes: true, args: ["--js-flags=--max-old-space-size=128"] });

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
    page = await site.browser.newPage();
    await openHarness(page, site.server.port, labHost);
  });

  it.each(kernelVectors.map((vector) => [vector.name, vector] as const))("%s", async (_name, vector) => {
    check(vector, await run(page, vector));
  });

  describe.each(origins)("with blobs from %s", (origin) => {
    it.each(dataVectors.map((vector) => [vector.name, vector] as const))("%s", async (_name, vector) => {
      // A page of its own for each, whose cache holds nothing of the others.
      const context = await site.browser.createBrowserContext();
      try {
        const fresh = await context.newPage();
        await openHarness(fresh, site.server.port, labHost);
        check(vector, await run(fresh, vector, origin));
      } finally {
        await context.close();
      }
    });
  });
});

async function run(page: Page, vector: KernelVector, origin?: Origin): Promise<Outcome> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  return callHarness<Outcome>(page, "vector", {
    source: vector.source,
    input: text(vector.inputBytes ?? encodeValue(vector.input)),
    ...(vector.resume !== undefined && { resume: text(encodeValue(vector.resume)) }),
    ...(vector.resumeBytes && { resume: text(vector.resumeBytes) }),
    ...(origin && { origin }),
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
