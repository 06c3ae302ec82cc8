import { makeIdentity } from "../support/identity.ts";
import type { Page } from "puppeteer";
import { precacheSpaceContract } from "../contract/precache-space.ts";
import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import { callHarness, labHost, openHarness } from "../support/browser.ts";
import { useHarnessSite } from "../support/harness-site.ts";

const site = useHarnessSite();

/** A page on a new profile, without stored data. */
async function freshPage(host: string, before?: string): Promise<Page> {
  const context = await site.browser.createBrowserContext();
  const page = await context.newPage();
  if (before) await page.evaluateOnNewDocument(before);
  await openHarness(page, site.server.port, host);
  return page;
}

describe("[PRECACHE-2] the page's cache, of precached data", () => {
  precacheSpaceContract(async () => {
    const page = await freshPage("localhost");
    const call = (...verb: [string, ...unknown[]]) => callHarness<string[]>(page, "cacheAhead", verb, 1000);
    return {
      put: async (name, bytes) => void (await call("put", name, bytes)),
      putAhead: async (name, bytes, keep) => void (await call("putAhead", name, bytes, keep)),
      touch: (names) => call("touch", names),
      held: (names) => call("held", names),
    };
  });
});

describe.each(["localhost", labHost])("data kept by the page, on %s", (host) => {
  it("keeps blobs across a reload", async () => {
    const page = await freshPage(host);
    expect(await callHarness(page, "cacheGet", "a blob")).toBeNull();
    await callHarness(page, "cachePut", "a blob");
    await openHarness(page, site.server.port, host);
    expect(await callHarness(page, "cacheGet", "a blob")).toBe("a blob");
  });

  it("evicts by bytes what was not used for longest", async () => {
    const page = await freshPage(host);
    const texts = ["first", "second", "third", "fourth"].map((text) => text.padEnd(10));
    expect(await callHarness(page, "cacheFill", texts, 30)).toEqual(texts.slice(1));
    const others = await freshPage(host);
    const kept = await callHarness(others, "cacheFill", texts, 30, texts[0]);
    expect(kept).toEqual([texts[0], texts[2], texts[3]]);
  });

  it("does not keep what is larger than the quota", async () => {
    const page = await freshPage(host);
    await callHarness(page, "cachePut", "0123456789", 5);
    expect(await callHarness(page, "cacheGet", "0123456789")).toBeNull();
  });

  it("tells other tabs what changed", async () => {
    const context = await site.browser.createBrowserContext();
    const [one, other] = [await context.newPage(), await context.newPage()];
    await openHarness(one, site.server.port, host);
    await openHarness(other, site.server.port, host);
    await callHarness(other, "cacheWatch");
    await callHarness(one, "cachePutAloud", "shared");
    await other.waitForFunction("window.harness.cacheSeen().length > 0", { polling: 50 });
    const sha256 = sha256Hex(new TextEncoder().encode("shared"));
    expect(await callHarness(other, "cacheSeen")).toEqual([{ added: [sha256], removed: [] }]);
    expect(await callHarness(other, "cacheListed")).toEqual([sha256]);
  });

  it("[KERNEL-11] a large blob of the cache reaches a kernel without the page reading it, and by the page when it cannot be read", async () => {
    const page = await freshPage(host);
    const output = [2 ** 20, 2 ** 20, [250, 0, 1]];
    const part = [250, 253];
    expect(await callHarness(page, "readLarge", "nowhere")).toEqual({ output, seen: ["all", "all", part] });
    expect(await callHarness(page, "readLarge", "stored")).toEqual({ output, seen: [part] });
    // Files that go away can be made in secure contexts only.
    const all = [0, 2 ** 20];
    if (host === "localhost")
      expect(await callHarness(page, "readLarge", "gone")).toEqual({ output, seen: [all, all, part] });
  });

  it("[KERNEL-11] keeps bytes where the browser stores no handles", async () => {
    const refusing = `const put = IDBObjectStore.prototype.put;
      IDBObjectStore.prototype.put = function (value, key) {
        if (value instanceof Blob) throw new DOMException("no", "DataCloneError");
        return put.call(this, value, key);
      };`;
    const page = await freshPage(host, refusing);
    const read = await callHarness(page, "readLarge", "stored");
    expect(read).toEqual({ output: [2 ** 20, 2 ** 20, [250, 0, 1]], seen: [[250, 253]] });
    const texts = ["first", "second", "third"].map((text) => text.padEnd(10));
    expect(await callHarness(page, "cacheFill", texts, 2 ** 20 + 30)).toEqual(texts);
  });

  it("[OUTBOX-1] keeps results across a reload, until they are removed", async () => {
    const page = await freshPage(host);
    await callHarness(page, "outboxSave", 1, "one");
    await callHarness(page, "outboxSave", 2, "two");
    await openHarness(page, site.server.port, host);
    expect(await callHarness(page, "outboxLoad")).toEqual([
      [1, "padding one"],
      [2, "padding two"],
    ]);
    await callHarness(page, "outboxRemove", 1);
    await openHarness(page, site.server.port, host);
    expect(await callHarness(page, "outboxLoad")).toEqual([[2, "padding two"]]);
  });

  it("is the same client after a reload", async () => {
    const page = await freshPage(host);
    const identity = makeIdentity();
    await callHarness(page, "keepIdentity", identity);
    await openHarness(page, site.server.port, host);
    expect(await callHarness(page, "identity")).toEqual(identity);
    expect(await callHarness(await freshPage(host), "identity")).toBeNull();
  });

  it.each([
    ["is missing", "Object.defineProperty(window, 'indexedDB', { value: undefined });"],
    ["refuses", "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); };"],
    ["fails later", "IDBDatabase.prototype.transaction = () => { throw new DOMException('broken'); };"],
  ])("works without IndexedDB when it %s", async (_how, before) => {
    const page = await freshPage(host, before);
    await callHarness(page, "cachePut", "x");
    expect(await callHarness(page, "outboxLoad")).toEqual([]);
    await callHarness(page, "outboxSave", 1, "one");
    const identity = makeIdentity();
    await callHarness(page, "keepIdentity", identity);
    await openHarness(page, site.server.port, host);
    expect(await callHarness(page, "identity")).toEqual(identity);
  });

  it.each([0, 1, 1024 ** 2, 1024 ** 2 + 1, 3 * 1024 ** 2])("hashes %d bytes right", async (length) => {
    const page = await freshPage(host);
    const expected = sha256Hex(new Uint8Array(length).map((_, i) => i & 255));
    expect(await callHarness(page, "hash", length)).toBe(expected);
  });
});
