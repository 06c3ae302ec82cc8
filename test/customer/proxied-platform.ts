import { afterAll, beforeAll } from "vitest";
import { FlakyProxy } from "../support/flaky-proxy.ts";
import { LivePlatform } from "./live-platform.ts";

/** A platform behind a proxy that can lose replies, for all tests of a file; it is set when the first test begins. */
export function useProxiedPlatform(): { readonly platform: LivePlatform; readonly proxy: FlakyProxy } {
  const parts = {} as { platform: LivePlatform; proxy: FlakyProxy };
  beforeAll(async () => {
    parts.platform = await LivePlatform.start();
    parts.proxy = await FlakyProxy.start(parts.platform.url);
  });
  afterAll(async () => {
    await parts.proxy.close();
    await parts.platform.close();
  });
  return parts;
}
