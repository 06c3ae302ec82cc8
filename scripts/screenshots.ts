/**
 * Takes the screenshots of the documentation from a real server, a real browser and real work:
 * `node scripts/screenshots.ts` after `npm run build` writes docs/screenshots/*.png.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer";
import { startServer, type RunningServer } from "../server/server.ts";
import { launchBrowser } from "./launch-browser.ts";

const outDirectory = join(import.meta.dirname, "..", "docs", "screenshots");
const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

/** Arithmetic of about a second a task, in place of a laboratory's work; one input of nine is bad. */
const kernel = `export default async (shift, ctx) => {
  const steps = 40;
  let sum = 0;
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < 200000; i++) sum += Math.sin(shift + i) / (i + 1);
    ctx.progress((step + 1) / steps);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (shift % 9 === 8) throw new RangeError("micrograph " + shift + " has no particles");
  return sum;
};`;

const data = await mkdtemp(join(tmpdir(), "manyhands-screenshots-"));
const server = await startServer({ port: 0, dataDirectory: data, logLevel: "warn" });
const browser = await launchBrowser();
try {
  await mkdir(outDirectory, { recursive: true });
  await takeAll(server, browser);
} finally {
  await browser.close();
  await server.close();
  await rm(data, { recursive: true, force: true });
}

async function takeAll(server: RunningServer, browser: Browser): Promise<void> {
  const volunteer = await browser.newPage();
  await volunteer.goto(server.url);
  await take(volunteer, "volunteer-start");
  await submit(server, "estimate defocus", 12);
  await submit(server, "projection matching, round 3", 400);
  await submit(server, "class averages", 64);
  await volunteer.goto(`${server.url}/?auto=1`);
  const admin = await signedIn(server, browser);
  // By then the pages show failures, a curve, and a job whose results were audited.
  await until(async () => {
    const { tasks } = (await api(server, "GET", "/api/status")) as {
      tasks: { done: number; failed: number };
    };
    return tasks.done >= 10 && tasks.failed > 0;
  });
  await volunteer.bringToFront();
  await volunteer.waitForFunction("/Computing for/.test(document.body.innerText)");
  await take(volunteer, "volunteer-computing");
  await admin.bringToFront();
  await take(admin, "admin");
}

/** Desktop and phone, light and dark. */
async function take(page: Page, name: string): Promise<void> {
  for (const [device, viewport] of Object.entries(sizes)) {
    await page.setViewport(viewport);
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      // The page draws the chart anew for other colours and another width, and bars glide for 300 ms.
      await page.evaluate("new Promise((done) => setTimeout(done, 400))");
      await page.screenshot({
        path: join(outDirectory, `${name}-${device}-${scheme}.png`),
      });
    }
  }
}

async function signedIn(server: RunningServer, browser: Browser): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(server.adminUrl);
  const field = await page.waitForSelector("input[name=token]");
  await field?.type(`${server.token}\n`);
  await page.waitForSelector(".tiles");
  return page;
}

async function submit(server: RunningServer, name: string, tasks: number): Promise<void> {
  const inputs = Array.from({ length: tasks }, (_, i) => i);
  await api(server, "POST", "/api/jobs", { name, kernel: { source: kernel }, inputs, maxAttempts: 1 });
}

async function api(server: RunningServer, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  return response.json();
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 500));
}
