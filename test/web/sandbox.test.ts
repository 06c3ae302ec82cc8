import type { Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { leavesTimers } from "../contract/leftovers.ts";
import { timeThieves, workMs } from "../contract/measured-time.ts";
import {
  localKernel,
  localValues,
  portableDigests,
  portableKernel,
  simdKernel,
  simdOutcomes,
} from "../contract/portable-values.ts";
import { callHarness, labHost, openHarness } from "../support/browser.ts";
import { useHarnessSite } from "../support/harness-site.ts";
import { until } from "../support/processes.ts";

const site = useHarnessSite();

describe.each(["localhost", labHost])("the browser's sandbox on %s", (host) => {
  let page: Page;
  beforeAll(async () => {
    page = await site.browser.newPage();
    await openHarness(page, site.server.port, host);
  });
  afterAll(() => page.close());

  it("runs on the kind of origin it says", async () => {
    const secure = host !== labHost;
    expect(await callHarness(page, "secure")).toEqual({ secure, subtle: secure, locks: secure });
  });

  it("runs a bundle and reports every task in order", async () => {
    const source = "export default (x, ctx) => x * x + ctx.index";
    const id = await callHarness<number>(page, "load", source);
    const outcomes = await callHarness(page, "run", id, source, [2, 3, 4]);
    expect(outcomes).toEqual([
      { index: 0, output: 4 },
      { index: 1, output: 10 },
      { index: 2, output: 18 },
    ]);
  });

  it("gives a kernel its context: data, put, progress, checkpoint, log, resume-able randomness", async () => {
    const source = `export default async (input, ctx) => {
      ctx.progress(0.5); ctx.log("hello", 1); console.log("console too"); ctx.checkpoint({ at: 1 });
      const ref = await ctx.put(new Uint8Array(3));
      const bytes = await ctx.data(ref.slice(1, 3));
      return { size: ref.size, bytes: [...bytes], random: ctx.random(), now: typeof performance.now(), uuid: crypto.randomUUID().length };
    }`;
    const id = await callHarness<number>(page, "load", source);
    const [outcome] = await callHarness<{ output: Record<string, unknown> }[]>(page, "run", id, source, [
      null,
    ]);
    expect(outcome?.output).toMatchObject({ size: 3, bytes: [49, 50], now: "number", uuid: 36 });
    const again = await callHarness<{ output: Record<string, unknown> }[]>(page, "run", id, source, [null]);
    expect(again[0]?.output["random"]).toBe(outcome?.output["random"]);
    const reports = JSON.stringify(await callHarness(page, "reports", id));
    for (const expected of ['"fraction":0.5', "hello 1", "console too", '"checkpoint"'])
      expect(reports).toContain(expected);
  });

  it("[KERNEL] reports a throw as this task's failure, and runs the next one", async () => {
    const source = "export default (x) => { if (x === 1) throw new RangeError('bad x'); return x; }";
    const id = await callHarness<number>(page, "load", source);
    const outcomes = await callHarness<unknown[]>(page, "run", id, source, [0, 1, 2]);
    expect(outcomes[1]).toMatchObject({ failure: { kind: "error", message: "RangeError: bad x" } });
    expect(outcomes[2]).toEqual({ index: 2, output: 2 });
  });

  it.each(Object.entries(timeThieves))(
    "[KERNEL-5] a kernel that %s pays for all of it",
    async (_name, thief) => {
      const times = await callHarness<number[]>(page, "measuredTimes", thief, 6);
      expect(times.reduce((sum, ms) => sum + ms)).toBeGreaterThanOrEqual(6 * workMs);
    },
  );

  it("[KERNEL-6] ends the timers of a task with it", async () => {
    const id = await callHarness<number>(page, "load", leavesTimers);
    const outcomes = await callHarness(page, "run", id, leavesTimers, [0, 1]);
    expect(outcomes).toEqual([
      { index: 0, output: "undefined" },
      { index: 1, output: 0 },
    ]);
  });

  it.each([
    ["[BITS-1] computes the functions of Math to the committed bits", portableKernel, portableDigests],
    ["[BITS-3] has neither randomness nor the machine's language and time zone", localKernel, localValues],
    ["[BITS-4] refuses relaxed SIMD, and not its bytes in a constant", simdKernel, simdOutcomes],
  ])("%s, when portable", async (_name, source, output) => {
    expect(await callHarness(page, "once", source, null, true)).toEqual({ index: 0, output });
  });

  it("[BITS-1] fetches the portable code once, and again after a failure that it tells", async () => {
    const fresh = await site.browser.newPage();
    onTestFinished(() => fresh.close());
    await openHarness(fresh, site.server.port, host);
    await fresh.setRequestInterception(true);
    let fetched = 0;
    fresh.on("request", (request) => {
      const isFirst = request.url().endsWith("/portable.js") && ++fetched === 1;
      void (isFirst ? request.respond({ status: 503 }) : request.continue());
    });
    const load = (): Promise<unknown> => callHarness(fresh, "once", portableKernel, null, true);
    await expect(load()).rejects.toThrow("portable.js could not be fetched: status 503");
    for (let i = 0; i < 2; i++) expect(await load()).toEqual({ index: 0, output: portableDigests });
    expect(fetched).toBe(2);
  });

  it("says why a module does not load", async () => {
    await expect(callHarness(page, "load", "export default (")).rejects.toThrow(/Unexpected/);
    await expect(callHarness(page, "load", "export const a = 1")).rejects.toThrow(
      /no default-exported function/,
    );
  });

  it("runs WebAssembly", async () => {
    const source = `export default async () => {
      const wasm = Uint8Array.of(0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,100,0,0,10,9,1,7,0,32,0,32,1,106,11);
      return (await WebAssembly.instantiate(wasm)).instance.exports.add(2, 40);
    }`;
    expect(await callHarness(page, "once", source)).toEqual({ index: 0, output: 42 });
  });

  it("[MEM-1] leaves nothing of a sandbox that ended in the page", async () => {
    const ports = async (): Promise<number> => {
      const prototype = await page.evaluateHandle(() => MessagePort.prototype);
      const objects = await page.queryObjects(prototype);
      const count = await objects.evaluate(({ length }) => length);
      await Promise.all([prototype.dispose(), objects.dispose()]);
      return count;
    };
    const before = await ports();
    for (let count = 0; count < 6; count++) {
      const request = { source: "export default () => 1", input: "wA==", blobs: [], silentMs: 30_000 };
      expect(await callHarness(page, "vector", request)).toMatchObject({ state: "done" });
    }
    // The browser may still have the last one.
    await until(async () => (await ports()) <= before + 1);
  });

  it("terminates a kernel that hangs at once, and what waits for it rejects", async () => {
    const source = "export default () => { for (;;); }";
    const id = await callHarness<number>(page, "load", source);
    await callHarness(page, "begin", id, source);
    const { ended, rejection, ms } = await callHarness<{ ended: object; rejection: string; ms: number }>(
      page,
      "terminate",
      id,
    );
    expect(ended).toEqual({ kind: "crash" });
    expect(rejection).toBe("The sandbox was terminated.");
    // The sandbox was not asked, because the kernel would never have answered.
    expect(ms).toBeLessThan(5_000);
    expect(await callHarness(page, "once", "export default () => 'next'")).toEqual({
      index: 0,
      output: "next",
    });
  });

  it("ends with the message of an error that nobody caught", async () => {
    const source =
      "export default () => { setTimeout(() => { throw new Error('stray') }); return new Promise(() => {}); }";
    const id = await callHarness<number>(page, "load", source);
    await callHarness(page, "begin", id, source);
    await page.waitForFunction(`window.harness.ended(${id}) !== null`);
    expect(await callHarness(page, "ended", id)).toMatchObject({ kind: "crash", reason: /stray/ });
  });

  it("[KERNEL] ends a kernel that tampers with the connection to the page, and the page is unharmed", async () => {
    const calls = [
      "{ id: 'x', type: 'APPLY', path: ['constructor', 'constructor'], argumentList: [{ type: 'RAW', value: 'globalThis.pwned = 1' }] }",
      "{ id: 'x', type: 'CONSTRUCT', path: ['data', 'constructor'], argumentList: [{ type: 'RAW', value: 'pwned = 1' }] }",
      "{ id: 'x', type: 'SET', path: ['__proto__', 'pwned'], value: { type: 'RAW', value: 1 } }",
      "{ id: 'x', type: 'APPLY', path: ['report'], argumentList: [{ type: 'HANDLER', name: 'proxy', value: 1 }] }",
      "{ id: 'x', type: 'RAW', value: 'an answer to no question' }",
      "'manyhands:ready'",
    ];
    for (const call of calls) {
      const source = thief(call);
      const id = await callHarness<number>(page, "load", source);
      await callHarness(page, "begin", id, source);
      await page.waitForFunction(`window.harness.ended(${id}) !== null`);
      expect(await callHarness(page, "ended", id)).toMatchObject({ reason: /tampered/ });
    }
    expect(await page.evaluate("globalThis.pwned ?? ({}).pwned ?? 'unharmed'")).toBe("unharmed");
  });

  it("ends a kernel that floods the page", async () => {
    const source = thief("0").replace("endpoint.postMessage(0);", flood);
    const id = await callHarness<number>(page, "load", source);
    await callHarness(page, "begin", id, source);
    await page.waitForFunction(`window.harness.ended(${id}) !== null`);
    expect(await callHarness(page, "ended", id)).toMatchObject({ reason: /flooded/ });
    expect(await callHarness(page, "once", "export default () => 1")).toEqual({ index: 0, output: 1 });
  });

  it("serves a kernel that asks for thousands of things at once", async () => {
    const source = `export default async (_, ctx) => {
      const ref = await ctx.put(new Uint8Array(10));
      const parts = await Promise.all(Array.from({ length: 5000 }, (_, i) => ctx.data(ref.slice(i % 10, i % 10 + 1))));
      return parts.reduce((sum, [byte]) => sum + byte - 48, 0);
    }`;
    expect(await callHarness(page, "once", source)).toEqual({ index: 0, output: 22_500 });
  });
});

/** A kernel that calls without waiting, past the worker's limit. */
const flood = `for (let i = 0; i < 2000; i++) endpoint.postMessage({
  id: "x" + i, type: "APPLY", path: ["data"],
  argumentList: [{ type: "RAW", value: { sha256: "", size: 0 } }, { type: "RAW" }],
});`;

/** A kernel that catches the endpoint in comlink's WeakMap, and sends any message to the page. */
const thief = (message: string): string => `
  let endpoint;
  const set = WeakMap.prototype.set;
  WeakMap.prototype.set = function (key, value) {
    if (key && typeof key.postMessage === "function") endpoint = key;
    return set.call(this, key, value);
  };
  export default async (_, ctx) => {
    ctx.log("makes comlink make a proxy");
    if (!endpoint) throw new Error("no endpoint was caught: the test proves nothing");
    endpoint.postMessage(${message});
    await new Promise(() => {});
  };`;
