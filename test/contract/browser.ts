import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { ClientInfo } from "../../shared/wire/rest/clients.ts";
import { labHost } from "../support/browser.ts";
import { button, type Tab, type TestBrowser } from "../support/browsers/browser.ts";
import { engines, whySkipped, type Engine } from "../support/browsers/engines.ts";
import { launchEngine } from "../support/browsers/launch-engine.ts";
import { useHarnessPages } from "../support/harness-site.ts";
import {
  expectAllOnce,
  finished,
  readClients,
  readResults,
  slowInputs,
  slowSquareSource,
  squares,
  submitJob,
} from "../support/jobs.ts";
import {
  keptPort,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
} from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";
import { startStaticServer } from "../support/static-server.ts";
import { checkVector } from "./browser-vectors.ts";
import { origins } from "./cached-reads.ts";
import { escapes } from "./escapes.ts";
import { dataVectors } from "./data-vectors.ts";
import { hostileVectors } from "./hostile-vectors.ts";
import { kernelVectors } from "./kernel-vectors.ts";

/** An origin that browsers trust, and one of a lab on plain HTTP, which is no secure context. */
const hosts = ["localhost", labHost] as const;

/** Number of results of the volunteer page that IndexedDB holds. */
const keptResults = `new Promise((done, failed) => {
  const opening = indexedDB.open("manyhands-outbox");
  opening.onerror = () => failed(opening.error);
  opening.onsuccess = () => {
    const counting = opening.result.transaction("outbox").objectStore("outbox").count();
    counting.onerror = () => failed(counting.error);
    counting.onsuccess = () => { opening.result.close(); done(counting.result); };
  };
})`;

/** What the pages promise in a browser of any engine. */
export function testPagesIn(engine: Engine): void {
  describe.skipIf(!engines[engine])(`the pages in ${engine}${whySkipped(engine)}`, () => {
    const pages = useHarnessPages();
    let browser: TestBrowser;
    beforeAll(async () => {
      browser = await launchEngine(engine);
    });
    afterAll(() => browser?.close());

    /** Opens a tab for the time of a test. */
    const open = async (url: string, within = browser): Promise<Tab> => {
      const tab = await within.newTab();
      onTestFinished(() => tab.close());
      await tab.open(url);
      return tab;
    };

    describe("[BROWSER-1] kernels", () => {
      let tab: Tab;
      beforeAll(async () => {
        tab = await browser.newTab();
        await openHarness(tab, pages.server.port);
        return () => tab.close();
      });

      test.each(kernelVectors.map((vector) => [vector.name, vector] as const))("%s", (_name, vector) =>
        checkVector(tab, vector),
      );

      describe.each(origins)("with blobs from %s", (origin) => {
        test.each(dataVectors.map((vector) => [vector.name, vector] as const))(
          "%s",
          async (_name, vector) => {
            // An origin of its own has a cache that holds nothing of the others.
            const server = await startStaticServer(pages.build.directory);
            onTestFinished(() => server.close());
            await openHarness(tab, server.port);
            await checkVector(tab, vector, origin);
          },
        );
      });
    });

    describe.each(
      hosts.flatMap((host) =>
        engine === "webkit"
          ? [[host, "no WebGPU", false] as const]
          : [[host, "no WebGPU", false] as const, [host, "WebGPU", true] as const],
      ),
    )("[BROWSER-2] hostile kernels on %s, in sandboxes with %s", (host, _name, webgpu) => {
      let tab: Tab;
      beforeAll(async () => {
        tab = await browser.newTab();
        await openHarness(tab, pages.server.port, host);
        // The first sandbox fetches its page.
        await tab.evaluate(`window.harness.once('export default () => 1', null, false, ${webgpu})`);
        return () => tab.close();
      });

      test("reach nothing of their own server", async () => {
        const { port, requests } = pages.server;
        const before = requests.length;
        const arrived = (): string[] => requests.slice(before).filter((line) => line !== "GET /favicon.svg");
        await expectNoEscape(tab, host, port, webgpu);
        // Without the policies the first request would have arrived long before the last attempt ended.
        expect(arrived()).toEqual([]);
        // The page itself reaches it.
        await tab.evaluate("fetch('/stolen').then(({ status }) => status)");
        expect(arrived()).toEqual(["GET /stolen"]);
      });

      test("reach no other server", async () => {
        const other = await countConnections();
        await expectNoEscape(tab, host, other.port, webgpu);
        const target = { input: `http://${host}:${other.port}`, webgpu };
        for (const vector of hostileVectors) await checkVector(tab, { ...vector, ...target });
        if (webgpu) expect(await reachedBeforeRemoval(tab, target.input)).toEqual([]);
        expect(other.connections()).toBe(0);
        await fetch(`http://127.0.0.1:${other.port}/`).catch(() => undefined);
        expect(other.connections()).toBe(1);
      });
    });

    // A test of the engine: once its data: workers import modules from blobs, the attempts above are for it as well.
    test.runIf(engine === "webkit")("[GPU-2] no kernel loads in a sandbox with WebGPU", async () => {
      const tab = await open(`http://localhost:${pages.server.port}/harness.html`);
      await until(() => tab.evaluate("window.harness !== undefined"));
      const loading = tab.evaluate("window.harness.once('export default () => 1', null, false, true)");
      await expect(loading).rejects.toThrow(/Cross-origin script load denied/);
      const other = await countConnections();
      // The caches are those of the worker's own opaque origin.
      const reached = await reachedBeforeRemoval(tab, `http://localhost:${other.port}`);
      expect(reached.filter((name) => name !== "caches")).toEqual([]);
      expect(other.connections()).toBe(0);
    });

    test("[BROWSER-3] compute on plain HTTP, which is no secure context", async () => {
      const server = await startTestServer();
      const id = await submitJob(server, slowSquareSource, slowInputs(4, 50));
      const tab = await open(`http://${labHost}:${server.port}/?auto=1`);
      expect(await tab.evaluate("isSecureContext")).toBe(false);
      await until(finished(server, id));
      await expectAllOnce(server, id, squares(4));
    });

    test("[BROWSER-3] compute in a private window, and go on after a reload", async () => {
      const server = await startTestServer();
      const hidden = await launchEngine(engine, { private: true });
      onTestFinished(() => hidden.close());
      const tab = await open(`http://${labHost}:${server.port}/`, hidden);
      await tab.click(button("Start computing"));
      for (const count of [1, 2]) {
        const id = await submitJob(server, slowSquareSource, slowInputs(count, 50));
        await until(finished(server, id));
        await expectAllOnce(server, id, squares(count));
        await tab.open(`http://${labHost}:${server.port}/?auto=1`);
      }
    });

    test("[LEASE-4] a tab closed in mid-task: another client finishes at once what it held", async () => {
      const server = await startTestServer();
      const id = await submitJob(server, slowSquareSource, [{ x: 5, ms: 4000 }], { maxAttempts: 1 });
      const tab = await open(`${server.url}/?auto=1`);
      await until(() => computing(server));
      await tab.close();
      await startClientProcess(server);
      // maxAttempts is 1: if the closed tab counted as an attempt, the task would have failed.
      const closedAt = performance.now();
      const isTaken = ({ kind, leases, done }: ClientInfo): boolean => kind === "node" && leases + done > 0;
      await until(async () => (await readClients(server)).some(isTaken), 60_000);
      // Without a goodbye the task would wait for the grace time of 30 seconds.
      expect(performance.now() - closedAt).toBeLessThan(25_000);
      await until(finished(server, id));
      await expectAllOnce(server, id, [25]);
    });

    test("[OUTBOX-1] a result finished while the server was away is delivered by the reloaded tab, once", async () => {
      const [data, port] = [await temporaryDirectory(), await keptPort()];
      const server = await startServerProcess(data, port);
      const tab = await open(`http://${labHost}:${server.port}/?auto=1`);
      // The part of the page that tells of undelivered results is loaded some seconds after the first task.
      const first = await submitJob(server, "export default () => 1", [0], { verify: "off" });
      await until(finished(server, first));
      await until(async () => (await tab.text()).includes("In the queue"));
      const source = `export default async (x, ctx) => {
        for (let i = 0; i < 200; i++) { ctx.progress(i / 200); await new Promise((go) => setTimeout(go, 25)); }
        return Date.now();
      }`;
      const id = await submitJob(server, source, [0], { verify: "off", math: "native" });
      await until(() => computing(server));
      await server.kill();
      await until(async () => /Waiting for delivery\s+1/.test(await tab.text()));
      await until(async () => (await tab.evaluate(keptResults)) === 1);
      await tab.open("about:blank");
      const restartedAt = Date.now();
      const again = await startServerProcess(data, port);
      await tab.open(`http://${labHost}:${server.port}/?auto=1`);
      await until(finished(again, id));
      // The result is the earlier one, not one of a second run.
      const finishedAt = (await readResults(again, id)).map((line) => line.state === "done" && line.output);
      expect(finishedAt).toHaveLength(1);
      expect(finishedAt[0]).toBeLessThan(restartedAt);
    });

    test("[VOLUNTEER-9] measure cores where the browser invents their number, and leave one free", async () => {
      const server = await startTestServer();
      const tab = await open(`${server.url}/?auto=1`);
      await until(async () => (await readClients(server)).length > 0);
      const told = await tab.evaluate<string | null>("localStorage.getItem('manyhands.cores')");
      const claimed = await tab.evaluate<number>("navigator.hardwareConcurrency");
      const [{ slots } = { slots: 0 }] = await readClients(server);
      if (engine === "webkit") {
        const measured = Number(told);
        expect(measured).toBeGreaterThanOrEqual(1);
        // Workers that compute at the same time on a busy machine are fewer.
        expect(measured).toBeLessThanOrEqual(claimed);
        expect(slots).toBe(Math.max(1, measured - 1));
      } else {
        expect(told).toBeNull();
        expect(slots).toBe(Math.max(1, claimed - 1));
      }
    });

    test.each(hosts)(
      "[BROWSER-4] of two tabs on %s one computes; the other takes over when it closes",
      async (host) => {
        const server = await startTestServer();
        const id = await submitJob(server, slowSquareSource, [{ x: 7, ms: 4000 }], { verify: "off" });
        const first = await open(`http://${host}:${server.port}/?auto=1`);
        await until(() => computing(server));
        const second = await open(`http://${host}:${server.port}/?auto=1`);
        await until(async () =>
          (await second.text()).includes("Another tab of this browser is computing already"),
        );
        const closedAt = performance.now();
        await first.close();
        await until(finished(server, id));
        // Without a goodbye the task would wait for the grace time of 30 seconds.
        expect(performance.now() - closedAt).toBeLessThan(25_000);
        await expectAllOnce(server, id, [49]);
      },
    );
  });
}

type Address = Parameters<typeof readClients>[0];

const computing = async (server: Address): Promise<boolean> =>
  (await readClients(server)).some(({ current }) => (current[0]?.progress ?? 0) > 0);

async function openHarness(tab: Tab, port: number, host: string = labHost): Promise<void> {
  await tab.open(`http://${host}:${port}/harness.html`);
  await until(() => tab.evaluate("window.harness !== undefined"));
}

async function expectNoEscape(tab: Tab, host: string, port: number, webgpu: boolean): Promise<void> {
  const where = { url: `http://${host}:${port}/stolen`, ws: `ws://${host}:${port}/stolen` };
  const { output } = await tab.evaluate<{ output: Record<string, string> }>(
    `window.harness.once(${JSON.stringify(escapes)}, ${JSON.stringify(where)}, false, ${webgpu})`,
  );
  const escaped = Object.entries(output).filter(([, how]) => !how.startsWith("blocked"));
  expect(escaped.filter(([name]) => !webgpu || name !== "gpu")).toEqual([]);
  expect(Object.keys(output).length).toBeGreaterThan(25);
}

/** Escapes from a worker for kernels with WebGPU before its globals are removed, when its policy alone holds it. */
function reachedBeforeRemoval(tab: Tab, target: string): Promise<string[]> {
  return tab.evaluate(`window.harness.beforeRemoval(${JSON.stringify(target)})`);
}

/** Listens for the time of a test, and counts connections of any protocol. */
async function countConnections(): Promise<{ port: number; connections(): number }> {
  let count = 0;
  const server = createServer((socket) => {
    count++;
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, connections: () => count };
}
