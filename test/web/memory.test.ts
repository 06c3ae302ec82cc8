import { beforeAll, describe, expect, it } from "vitest";
import type { Tab, TestBrowser } from "../support/browsers/browser.ts";
import { engines, whySkipped } from "../support/browsers/engines.ts";
import { launchEngine } from "../support/browsers/launch-engine.ts";
import { useHarnessPages } from "../support/harness-site.ts";
import { until } from "../support/processes.ts";

const pages = useHarnessPages();

const memoryMb = 64;
/** A buffer of 8 MiB that the system has to find memory for. */
const buffer = "new Float64Array(2 ** 20).fill(1)";
const giveWay = "await new Promise((resolve) => setTimeout(resolve, 1));";

const outgrowing = [
  ["buffers", `async () => { const held = []; for (;;) { held.push(${buffer}); ${giveWay} } }`],
  ["one buffer", `() => { const held = new Uint8Array(100 * 2 ** 20); for (;;) held.fill(1); }`],
  [
    "a WebAssembly memory that grows",
    `() => {
      const memory = new WebAssembly.Memory({ initial: 1 });
      for (;;) { memory.grow(64); new Uint8Array(memory.buffer, memory.buffer.byteLength - 2 ** 22).fill(1); }
    }`,
  ],
] as const;

const frugal = [
  ["lets go of", `async () => { for (let i = 0; i < 40; i++) { ${buffer}; ${giveWay} } return 1; }`],
  ["lets go of without a pause", `() => { for (let i = 0; i < 40; i++) ${buffer}; return 1; }`],
  [
    "looks at in many ways",
    `() => {
      const memory = new WebAssembly.Memory({ initial: 640 });
      for (let i = 0; i < 1000; i++) new Uint8Array(memory.buffer).subarray(2 ** 20);
      return 1;
    }`,
  ],
] as const;

for (const engine of ["chromium", "firefox", "webkit"] as const)
  describe.skipIf(!engines[engine])(
    `[KERNEL-7] the memory of a kernel in ${engine}${whySkipped(engine)}`,
    () => {
      let browser: TestBrowser;
      let page: Tab;
      const call = <T>(name: string, ...given: unknown[]): Promise<T> =>
        page.evaluate(`window.harness.${name}(...${JSON.stringify(given)})`);
      beforeAll(async () => {
        browser = await launchEngine(engine);
        page = await browser.newTab();
        await page.open(`http://localhost:${pages.server.port}/harness.html`);
        await until(() => page.evaluate("window.harness !== undefined"));
        return () => browser.close();
      });

      it.each(outgrowing)("ends its worker when it outgrows memoryMb: %s", async (_name, kernel) => {
        const source = `export default ${kernel}`;
        const id = await call<number>("load", source, { memoryMb });
        await call("begin", id, source);
        expect(await until(() => call("ended", id))).toEqual({
          kind: "memory",
          reason: expect.stringMatching(/^The kernel used \d+ MiB; the job allows 64 MiB \(memoryMb\)\.$/),
        });
        expect(await call("once", "export default () => 'next'")).toEqual({ index: 0, output: "next" });
      });

      it.each(frugal)("is not all that it had in buffers which it %s", async (_name, kernel) => {
        const source = `export default ${kernel}`;
        const id = await call<number>("load", source, { memoryMb });
        for (let i = 0; i < 3; i++)
          expect(await call("run", id, source, [null])).toEqual([{ index: 0, output: 1 }]);
      });
    },
  );
