/**
 * Takes pictures of the admin page and the public page in their states, to be looked at: `node scripts/page-states.ts DIRECTORY` after
 * `npm run build`. Sizes of desktop, phone and wall screen, light and dark; empty, busy, failing, 200 jobs, long and right-to-left names.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import type { Page } from "puppeteer";
import { startServer } from "../server/server.ts";
import { launchBrowser } from "./launch-browser.ts";

const [, , out = join(tmpdir(), "page-states")] = process.argv;
const sizes = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
  wall: { width: 1920, height: 1080 },
} as const;

const kernel = `export default async (x, ctx) => {
  ctx.log("micrograph " + x + ": defocus 1.8 µm");
  for (let step = 0; step < 20; step++) {
    for (let i = 0, sum = 0; i < 100000; i++) sum += Math.sin(x + i);
    ctx.progress((step + 1) / 20);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (x % 7 === 6) throw new RangeError("micrograph " + x + " has no particles");
  if (x % 11 === 10) throw new Error("out of scratch space");
  return x * x;
}`;
const longName = `${"Refinement of the third class with per-particle defocus and a very long name that says everything ".slice(0, 119)}!`;
const rightToLeft = "تحسين الصنف الثالث من بيتا غالاكتوزيداز";

const data = await mkdtemp(join(tmpdir(), "manyhands-states-"));
await mkdir(out, { recursive: true });
const server = await startServer({
  port: 0,
  dataDirectory: data,
  logLevel: "warn",
  publicStatus: true,
  volunteers: "invite",
  auditors: 0,
});
const browser = await launchBrowser();
try {
  const page = await browser.newPage();
  await page.goto(server.adminUrl);
  await page.type("input[name=token]", server.token);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".tiles");
  await take(page, "overview-empty");
  await open(page, "#/access", "#audit");
  await take(page, "access-empty");

  const options = { maxAttempts: 1, failFast: false, public: true };
  const failing = await submit("projection matching", 60, { ...options, group: "night run" });
  await submit(longName, 40, options);
  await submit(rightToLeft, 40, { ...options, public: false });
  await attach(failing);
  const { inviteUrl } = (await api("POST", "/api/tokens", {
    role: "client",
    name: longName,
    maxClients: 3,
  })) as {
    inviteUrl: string;
  };
  await api("POST", "/api/tokens", { role: "customer", name: rightToLeft, expiresInSeconds: 86_400 });
  const volunteer = await browser.newPage();
  await volunteer.goto(`${inviteUrl}&auto=1`);
  await page.bringToFront();
  await until(
    async () =>
      ((await api("GET", `/api/jobs/${failing}`)) as { counts: { failed: number } }).counts.failed > 5,
  );
  await open(page, "#/", ".jobs tbody tr");
  await take(page, "overview-busy");
  await open(page, `#/jobs/${failing}`, ".groups li");
  await page.waitForSelector(".attachment img");
  await page.evaluate("document.querySelectorAll('.panel > details').forEach((each) => (each.open = true))");
  await take(page, "job-failing", true);
  const { groups } = (await api("GET", `/api/jobs/${failing}/failures`)) as {
    groups: { indexes: number[] }[];
  };
  await open(page, `#/jobs/${failing}/tasks/${groups[0]!.indexes[0]}`, "#runs");
  await take(page, "task-failed");
  await open(page, "#/access", "#audit");
  await page.type("input[name=name]", "open day");
  await page.click(".new-token button");
  await page.waitForSelector(".secret .qr");
  await take(page, "access", true);
  await page.goto(`${server.url}/status`);
  await take(page, "public");

  for (let n = 0; n < 200; n++)
    await submit(n % 3 ? `many ${n}` : `${longName} ${n}`.slice(-120), 1, { requires: { webgpu: true } });
  await page.goto(`${server.adminUrl}#/?state=all&sort=name`);
  await page.waitForFunction("document.querySelectorAll('.jobs tbody tr').length >= 100");
  await take(page, "overview-200-jobs");
} finally {
  await browser.close();
  await server.close();
  await rm(data, { recursive: true, force: true });
}

async function take(page: Page, name: string, fullPage = false): Promise<void> {
  for (const [size, viewport] of Object.entries(sizes))
    for (const scheme of ["light", "dark"]) {
      await page.setViewport(viewport);
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      // The page draws the chart anew for other colours and another width, and bars glide for 300 ms.
      await page.evaluate("new Promise((done) => setTimeout(done, 400))");
      const width = Number(await page.evaluate("document.documentElement.scrollWidth"));
      if (width > viewport.width) console.log(`${name} ${size}: ${width} px wide`);
      await page.screenshot({ path: join(out, `${name}-${size}-${scheme}.png`), fullPage });
    }
}

async function open(page: Page, hash: string, selector: string): Promise<void> {
  await page.goto(`${server.adminUrl}${hash}`);
  await page.waitForSelector(selector);
}

async function submit(name: string, count: number, options: object): Promise<string> {
  const inputs = Array.from({ length: count }, (_, n) => n);
  const job = await api("POST", "/api/jobs", { name, kernel: { source: kernel }, inputs, ...options });
  return (job as { id: string }).id;
}

/** A picture, a drawing and a table. */
async function attach(job: string): Promise<void> {
  const png = new PNG({ width: 240, height: 120 });
  for (let at = 0; at < png.data.length; at++) png.data[at] = at % 4 === 3 ? 255 : (at >> 3) % 256;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 80" width="400" height="160"><path d="M5 10 C80 10 90 70 195 72" fill="none" stroke="#246" stroke-width="3"/></svg>`;
  const files = {
    "slice.png": PNG.sync.write(png),
    "fsc.svg": svg,
    "shells.csv": "shell,fsc\n1,1.0\n2,0.98\n3,0.7\n",
  };
  for (const [name, body] of Object.entries(files)) {
    const reply = await fetch(`${server.url}/api/jobs/${job}/attachments/${name}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/octet-stream" },
      body,
    });
    if (!reply.ok) throw new Error(await reply.text());
  }
}

async function api(method: string, path: string, body?: object): Promise<unknown> {
  const reply = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!reply.ok) throw new Error(`${method} ${path}: ${await reply.text()}`);
  return reply.json();
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 200));
}
