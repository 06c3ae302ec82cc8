import type { ServerOptions } from "../../server/options.ts";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { labHost, launchBrowser } from "../support/browser.ts";
import { readJob, readResults, submitUnverified } from "../support/jobs.ts";
import { keepSettings, openPage, press, untilText } from "../support/pages.ts";
import { temporaryDirectory, until } from "../support/processes.ts";
import { readRuns, shareOf, spanOf, timedSource } from "../support/runs.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser({ isolateSandboxes: true });
});
afterAll(() => browser?.close());

const open = (server: TestServer, path = "/", language?: string): Promise<Page> =>
  openPage(browser, `http://localhost:${server.port}${path}`, language);

describe("[VOLUNTEER-1] the project on the volunteer page", () => {
  async function projectServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
    const project = join(await temporaryDirectory(), "project.json");
    const title = "Ribosomes <b>at work</b>";
    const content = { title, text: "We look at ribosomes.", link: "https://example.org/", colour: "#ffcc00" };
    await writeFile(project, JSON.stringify(content));
    return startTestServer({ project, ...options });
  }

  it("is there before anything computes, in its colour and as text", async () => {
    const server = await projectServer();
    const page = await open(server);
    await untilText(page, /We look at ribosomes\./);
    expect(await page.title()).toBe("Ribosomes <b>at work</b>");
    expect(await page.$eval(".masthead span", (title) => title.textContent)).toBe("Ribosomes <b>at work</b>");
    expect(await page.$eval("a[href='https://example.org/']", (link) => link.textContent)).toMatch(
      /More about/,
    );
    const accent = String(
      await page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--accent')"),
    );
    expect(accent).toMatch(/^#/);
    expect(accent).not.toBe("#1a5fb4");
    expect(await server.api("GET", "/api/clients")).toEqual([]);
  });

  it("[VOLUNTEER-11] shows no code on a display for a room where people need an invitation", async () => {
    const server = await projectServer({ volunteers: "invite" });
    const { token } = await server.api("POST", "/api/tokens", { role: "volunteer", name: "room 12" });
    const page = await open(server, `/?auto=1&kiosk=1&invite=${String(token)}`);
    await untilText(page, /tasks to go/);
    expect(await page.$(".kiosk svg.qr")).toBeNull();
    expect(await page.content()).not.toContain(String(token));
  });

  it("[VOLUNTEER-11] shows its progress on a display for a room, and tells a name", async () => {
    const server = await projectServer();
    const page = await open(server, "/?auto=1&kiosk=1&name=room-12-pc-3&slots=1");
    await untilText(page, /tasks to go/);
    await page.waitForSelector(".kiosk svg.qr");
    expect(await server.api("GET", "/api/clients")).toMatchObject([
      { name: expect.stringMatching(/^room-12-pc-3 \(/) },
    ]);
    await press(page, "Show the page itself");
    await untilText(page, /No work right now/);
    const manifest = await page.evaluate("fetch('manifest.webmanifest').then((reply) => reply.json())");
    expect(manifest).toMatchObject({ name: "Ribosomes <b>at work</b>", display: "standalone" });
  });
});

describe("the volunteer page", () => {
  it("[VOLUNTEER-2] speaks German where the browser does", async () => {
    const server = await startTestServer();
    const page = await open(server, "/", "de-AT");
    await press(page, "Rechnen beginnen");
    await untilText(page, /Niemand hat hier einen Auftrag/);
    expect(await page.evaluate("document.documentElement.lang")).toBe("de");
    await press(page, "Einstellungen");
    await untilText(page, /Nur am Stromnetz/);
  });

  it("[VOLUNTEER-4] pauses for an hour, over a reload as well, and goes on with Resume", async () => {
    const server = await startTestServer();
    const page = await open(server, "/?auto=1");
    await press(page, "an hour");
    await untilText(page, /Paused until (?:today|tomorrow) at \d\d:\d\d\./);
    await page.reload();
    await untilText(page, /Paused until (?:today|tomorrow) at \d\d:\d\d\./);
    const id = await submitUnverified(server, "export default () => Date.now();", [1], { math: "native" });
    await expect
      .poll(() => server.api("GET", `/api/jobs/${id}/why`))
      .toMatchObject({ reasons: [{ code: "clientsPaused" }] });
    const pressedAt = Date.now();
    await press(page, "Resume");
    await until(async () => (await readJob(server, id)).state === "finished");
    const [result] = await readResults(server, id);
    expect(result?.state === "done" && result.output).toBeGreaterThanOrEqual(pressedAt);
  });

  it("[VOLUNTEER-4] keeps to the hours of the week", async () => {
    const server = await startTestServer();
    const page = await open(server);
    await keepSettings(page, { rules: { schedule: [0, 0, 0, 0, 0, 0, 0] } });
    await page.goto(`http://localhost:${server.port}/?auto=1`);
    await untilText(page, /weekly hours are all off/);
    await press(page, "Resume");
    await untilText(page, /No work right now/);
  });

  it("[IDLE-1] says why there is nothing to do", async () => {
    const server = await startTestServer({ heartbeatMs: 300 });
    const page = await open(server, "/?auto=1");
    await untilText(page, /nobody has a job here/);
    const ids = [];
    for (let i = 0; i < 3; i++) {
      const { id } = await server.api("POST", "/api/jobs", {
        name: `job ${i}`,
        kernel: { source: "export default (x) => x;" },
      });
      await server.api("POST", `/api/jobs/${String(id)}/pause`);
      ids.push(String(id));
    }
    await untilText(page, /Nothing to do: 3 jobs are paused by their owners/);
    for (const id of ids) await server.api("POST", `/api/jobs/${id}/cancel`);
    await submitUnverified(server, "export default (x) => x;", [1], { requires: { webgpu: true } });
    await untilText(page, /Jobs here need a graphics processor \(WebGPU\)/);
  });

  it("[VOLUNTEER-5] [VOLUNTEER-7] tells what each job is for, what it shows, and what became of its tasks", async () => {
    const server = await startTestServer();
    const page = await open(server, "/?auto=1");
    // The page is watched from before the tasks, of which it shows these while they run.
    const shown = Promise.all(
      [/Finds particles\./, /score <i>\d<\/i>/].map((words) => untilText(page, words)),
    );
    await submitUnverified(
      server,
      `export default async (x, ctx) => {
        for (let i = 0; i < 40; i++) {
          ctx.show("score <i>" + x + "</i>");
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        if (x === 4) throw new RangeError("no particles");
        return x;
      };`,
      [1, 2, 3, 4],
      { description: "Finds particles.", maxAttempts: 1 },
    );
    await shown;
    await untilText(page, /delivered and accepted/);
    await untilText(page, /failed by the program's own fault: RangeError: no particles/);
    await untilText(page, /The last tasks/);
    await untilText(page, /Today\s+\d tasks?/);
    await page.reload();
    await untilText(page, /Your help so far\s+Today\s+3 tasks/i);
  });

  it("[VOLUNTEER-6] tells a new name and team at once, without losing what it computes", async () => {
    const server = await startTestServer();
    const page = await open(server);
    const id = await submitUnverified(
      server,
      `export default async (x, ctx) => {
        for (const until = Date.now() + x; Date.now() < until; ) await new Promise((resolve) => setTimeout(resolve, 20));
        return x;
      };`,
      [6_000],
      { math: "native", timeoutMs: 60_000 },
    );
    await press(page, "Start computing");
    await until(async () => (await readJob(server, id)).counts.running === 1);
    await press(page, "Settings");
    await page.waitForSelector(".names input");
    await page.type(".names input", "Ada");
    const clients = () =>
      server.api("GET", "/api/clients") as unknown as Promise<{ id: string; name: string }[]>;
    await until(async () => (await clients())[0]?.name.startsWith("Ada ("));
    await page.type(".names label:nth-of-type(2) input", "Blue");
    await until(async () => (await clients())[0]?.name.startsWith("Ada, Blue ("));
    expect(await clients()).toHaveLength(1);
    await until(async () => (await readJob(server, id)).state === "finished");
    expect(await server.api("GET", `/api/jobs/${id}/tasks/0`)).toMatchObject({ runs: [{ attempt: 1 }] });
  });

  it("[VOLUNTEER-6] forgets everything with one click", async () => {
    const server = await startTestServer();
    const page = await open(server, "/?auto=1");
    await untilText(page, /No work right now/);
    const [before] = (await server.api("GET", "/api/clients")) as unknown as { id: string }[];
    await page.goto(`http://localhost:${server.port}/`);
    await press(page, "Settings");
    await page.waitForSelector(".field input");
    await page.type(".field input", "Ada");
    await page.waitForFunction("localStorage.getItem('manyhands.settings')?.includes('Ada')");
    await Promise.all([page.waitForNavigation(), press(page, "Forget everything")]);
    expect(await page.evaluate("localStorage.getItem('manyhands.settings')")).toBeNull();
    await press(page, "Start computing");
    await untilText(page, /No work right now/);
    const after = (await server.api("GET", "/api/clients")) as unknown as {
      id: string;
      connected: boolean;
    }[];
    expect(after.find(({ connected }) => connected)?.id).not.toBe(before!.id);
  });

  /** Long enough for several runs of each length. */
  const measuredMs = 10_000;

  /** Share of the time in the last seconds; 0 before these are over. */
  function latestShare(runs: Awaited<ReturnType<typeof readRuns>>): number {
    if (spanOf(runs) < measuredMs) return 0;
    const from = runs.at(-1)![0] - measuredMs;
    return shareOf(runs.filter(([start]) => start >= from));
  }

  async function toldShare(page: Page): Promise<number> {
    const shown = String(await page.evaluate("document.body.innerText"));
    return Number(/last minute\s+(\d+) %/i.exec(shown)?.[1] ?? NaN);
  }

  it.each([20, 50, 80])(
    "[VOLUNTEER-3] computes %i percent of the time",
    { timeout: 180_000 },
    async (cpu) => {
      const server = await startTestServer();
      const page = await open(server);
      await keepSettings(page, { slots: 1, cpu });
      const inputs = Array.from({ length: 400 }, (_, i) => [400, 120, 16, 280][i % 4]);
      const id = await submitUnverified(server, timedSource, inputs, { math: "native" });
      await page.goto(`http://localhost:${server.port}/?auto=1`);
      // A machine that is busy for some seconds computes less than it may, and the page less than it says for a minute.
      const patience = { interval: 500, timeout: 60_000 };
      await expect
        .poll(async () => 100 * latestShare(await readRuns(server, id)), patience)
        .toBeGreaterThan(cpu - 5);
      await expect.poll(() => toldShare(page), patience).toBeGreaterThan(cpu - 10);
      expect(100 * shareOf(await readRuns(server, id))).toBeLessThan(cpu + 5);
      expect(await toldShare(page)).toBeLessThan(cpu + 10);
    },
  );
});

it("[PAGE-1] the lab page works without a secure context, and says what its browser does not tell", async () => {
  const server = await startTestServer();
  const page = await openPage(browser, `http://${labHost}:${server.port}/`);
  await press(page, "Settings");
  await untilText(page, /does not tell whether the computer is plugged in/);
  await untilText(page, /cannot keep the computer awake/);
});
