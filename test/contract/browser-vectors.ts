import { expect } from "vitest";
import { decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import type { Tab } from "../support/browsers/browser.ts";
import type { Origin } from "./cached-reads.ts";
import type { KernelVector } from "./kernel-vectors.ts";

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

/** Runs a vector in the harness page of a tab, and compares the outcome. @param origin - where its blobs come from */
export async function checkVector(
  tab: Tab,
  vector: KernelVector & { webgpu?: boolean },
  origin?: Origin,
): Promise<void> {
  check(vector, await run(tab, vector, origin));
}

function run(tab: Tab, vector: KernelVector & { webgpu?: boolean }, origin?: Origin): Promise<Outcome> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const request = {
    source: vector.source,
    input: text(vector.inputBytes ?? encodeValue(vector.input)),
    ...(vector.resume !== undefined && { resume: text(encodeValue(vector.resume)) }),
    ...(vector.resumeBytes && { resume: text(vector.resumeBytes) }),
    ...(origin && { origin }),
    ...(vector.webgpu && { webgpu: true }),
    blobs: (vector.blobs ?? []).map(text),
    silentMs: vector.expect.state === "hangs" ? 500 : 45_000,
  };
  return tab.evaluate(`window.harness.vector(${JSON.stringify(request)})`);
}

function check({ expect: wanted }: KernelVector, found: Outcome): void {
  const value = (encoded: string | undefined): Value =>
    encoded === undefined ? undefined : decodeValue(new Uint8Array(Buffer.from(encoded, "base64")));
  if (wanted.state === "survives") return;
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
