import { afterAll, beforeAll } from "vitest";
import { FlakyProxy } from "../support/flaky-proxy.ts";
import { LivePlatform } from "./live-platform.ts";

/** A platform and a proxy in front of it that can lose replies, for all tests of a file; there when the first of them begins. */
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
