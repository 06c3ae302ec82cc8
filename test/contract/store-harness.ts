import { expect } from "vitest";
import { PlatformError, type ErrorCode } from "../../shared/errors.ts";
import type { Quotas } from "../../server/store/quotas.ts";
import type { Store } from "../../server/store/store.ts";

/** Access of the contract suites to an implementation; every call of `open` makes an empty store. */
export interface StoreHarness {
  readonly open: (options: { clock: () => number; quotas?: Quotas }) => Promise<{
    readonly store: Store;
    /** Closes the store and opens it again on its data; undefined for a store without lasting data. */
    readonly reopen: (() => Promise<Store>) | undefined;
  }>;
  readonly durable: boolean;
}

export async function refuses(code: ErrorCode, verb: Promise<unknown>, message = /./): Promise<void> {
  const error: unknown = await verb.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PlatformError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
}
