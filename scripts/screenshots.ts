/**
 * Takes screenshots of the pages from real servers, real browsers and real work, after `npm run build`:
 * `node scripts/screenshots.ts` those of the documentation, docs/screenshots/*.png, in Chromium;
 * `node scripts/screenshots.ts --all DIRECTORY` every state of the pages in Chromium, Firefox and WebKit, where these are installed.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import type { ServerOptions } from "../server/options.ts";
import { startServer, type RunningServer } from "../server/server.ts";
import { button, type Tab, type TestBrowser } from "../test/support/browsers/browser.ts";
import { engines, type Engine } from "../test/support/browsers/engines.ts";
import { launchEngine } from "../test/support/browsers/launch-engine.ts";

const documentation = join(import.meta.dirname, "..", "docs", "screenshots");
const devices = {
  desktop: [1280, 800],
  phone: [390, 844],
  wall: [1920, 1080],
} as const;
type Device = keyof typeof devices;

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
const failing = `export default (image) => { throw new RangeError("image " + image + " is empty"); };`;

const long =
  "particles-of-beta-galactosidase-picked-again-with-the-new-network-in-all-micrographs-of-the-second-session-of-2026-batch-7";
const rightToLeft = "שחזור תלת־ממדי של ריבוזום";

/** Where the pictures of a browser go. */
interface Camera {
  readonly browser: TestBrowser;
  readonly take: (tab: Tab, state: string) => Promise<void>;
}

/** A state of the pages: what their server is told first, and how a browser gets there. */
interface Scene {
  readonly options?: Partial<ServerOptions>;
  prepare?(server: RunningServer): Promise<unknown>;
  show(server: RunningServer, camera: Camera): Promise<void>;
}

const documented: Scene = {
  async show(server, { browser, take }) {
    const volunteer = await browser.newTab();
    await volunteer.open(server.url);
    await take(volunteer, "volunteer-start");
    await submit(server, "estimate defocus", 12);
    await submit(server, "projection matching, round 3", 400);
    await submit(server, "class averages", 64);
    await volunteer.open(`${server.url}/?auto=1`);
    const admin = await signedIn(server, browser);
    // By then the pages show failures, a curve, and a job whose results were audited.
    await until(async () => {
      const { tasks } = await api<{ tasks: { done: number; failed: number } }>(server, "GET", "/api/status");
      return tasks.done >= 10 && tasks.failed > 0;
    });
    await untilText(volunteer, "Computing for");
    await take(volunteer, "volunteer-computing");
    await take(admin, "admin");
  },
};

const scenes: Record<string, Scene> = {
  empty: {
    async show(server, { browser, take }) {
      const volunteer = await browser.newTab();
      await volunteer.open(server.url);
      await take(volunteer, "volunteer-ready");
      await volunteer.click(button("Start computing"));
      await untilText(volunteer, "No work right now");
      await take(volunteer, "volunteer-no-work");
      const second = await browser.newTab();
      await second.open(`${server.url}/?auto=1`);
      await untilText(second, "Another tab");
      await take(second, "volunteer-other-tab");
      await second.close();
      await volunteer.click(button("Finish and stop"));
      await untilText(volunteer, "Thank you");
      await take(volunteer, "volunteer-stopped");
      const admin = await browser.newTab();
      await admin.open(server.adminUrl);
      await untilText(admin, "Sign in");
      await take(admin, "admin-sign-in");
      await take(await signedIn(server, browser), "admin-empty");
    },
  },
  busy: {
    async prepare(server) {
      await submit(server, "estimate defocus", 400);
      await submit(server, "projection matching, round 3", 4000);
      await submit(server, "class averages", 640);
    },
    async show(server, { browser, take }) {
      const volunteer = await browser.newTab();
      await volunteer.open(`${server.url}/?auto=1`);
      await untilText(volunteer, "Computing for");
      await take(await signedIn(server, browser), "admin-busy");
      await take(volunteer, "volunteer-computing");
      await volunteer.click(button("Pause"));
      await untilText(volunteer, "Paused until");
      await take(volunteer, "volunteer-paused");
    },
  },
  failing: {
    prepare: (server) => submit(server, "pick particles", 40, failing, { failFast: false }),
    async show(server, { browser, take }) {
      const volunteer = await browser.newTab();
      await volunteer.open(`${server.url}/?auto=1`);
      const admin = await signedIn(server, browser);
      await untilText(admin, "failed");
      await admin.evaluate(
        "void document.querySelectorAll('details').forEach((one) => { one.open = true; })",
      );
      await take(admin, "admin-failing");
      await take(volunteer, "volunteer-failing");
    },
  },
  "200-jobs": {
    async prepare(server) {
      for (let count = 1; count <= 200; count++)
        await submit(server, `refine class ${count}`, count, kernel, { requires: { trusted: true } });
    },
    show: async (server, { browser, take }) => take(await signedIn(server, browser), "admin-200-jobs"),
  },
  names: {
    async prepare(server) {
      const { token } = await api<{ token: string }>(server, "POST", "/api/tokens", {
        role: "customer",
        name: `${rightToLeft} ${long}`.slice(0, 120),
      });
      await submit(server, long, 400, kernel, { group: long }, token);
      await submit(server, rightToLeft, 400, kernel, { group: rightToLeft }, token);
    },
    async show(server, { browser, take }) {
      const volunteer = await browser.newTab();
      await volunteer.open(`${server.url}/?auto=1`);
      await untilText(volunteer, "Computing for");
      await take(volunteer, "volunteer-names");
      await take(await signedIn(server, browser), "admin-names");
    },
  },
  refused: {
    options: { volunteers: "invite" },
    async show(server, { browser, take }) {
      const volunteer = await browser.newTab();
      await volunteer.open(`${server.url}/?auto=1`);
      await untilText(volunteer, "invitation");
      await take(volunteer, "volunteer-refused");
    },
  },
};

/** Takes the pictures of a scene at a server of its own. */
async function takeScene(
  scene: Scene,
  engine: Engine,
  dark: boolean,
  directory: string,
  sizes: readonly Device[],
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const data = await mkdtemp(join(tmpdir(), "manyhands-screenshots-"));
  const server = await startServer({ port: 0, dataDirectory: data, logLevel: "warn", ...scene.options });
  const browser = await launchEngine(engine, { dark });
  const take = async (tab: Tab, state: string): Promise<void> => {
    for (const device of sizes) {
      await tab.show();
      const [width, height] = devices[device];
      await tab.resize(width, height);
      // The page draws the chart anew for another width, and bars glide for 300 ms.
      await tab.evaluate("new Promise((done) => setTimeout(done, 400))");
      await tab.screenshot(
        join(directory, `${state}-${device}-${dark ? "dark" : "light"}.png`) as `${string}.png`,
      );
    }
  };
  try {
    await scene.prepare?.(server);
    await scene.show(server, { browser, take });
  } finally {
    await browser.close();
    await server.close();
    await rm(data, { recursive: true, force: true });
  }
}

async function signedIn(server: RunningServer, browser: TestBrowser): Promise<Tab> {
  const tab = await browser.newTab();
  await tab.open(server.adminUrl);
  await untilText(tab, "Sign in");
  await tab.show();
  await tab.type("input[name=token]", server.token);
  await tab.click(button("Sign in"));
  await until(() => tab.evaluate("document.querySelector('.tiles') !== null"));
  return tab;
}

async function submit(
  server: RunningServer,
  name: string,
  tasks: number,
  source = kernel,
  options: object = {},
  token = server.token,
): Promise<void> {
  const inputs = Array.from({ length: tasks }, (_, i) => i);
  const job = { name, kernel: { source }, inputs, maxAttempts: 1, ...options };
  await api(server, "POST", "/api/jobs", job, token);
}

async function api<T>(
  server: RunningServer,
  method: string,
  path: string,
  body?: unknown,
  token = server.token,
): Promise<T> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  return (await response.json()) as T;
}

function untilText(tab: Tab, text: string): Promise<void> {
  return until(async () => (await tab.text()).includes(text));
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await condition());) {
    if (Date.now() > end) throw new Error(`This did not come true within a minute: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const program = new Command("screenshots").option("--all <directory>", "every state in every browser");
const { all } = program.parse().opts<{ all?: string }>();
if (all === undefined)
  for (const dark of [false, true])
    await takeScene(documented, "chromium", dark, documentation, ["desktop", "phone"]);
else
  for (const engine of (Object.keys(engines) as Engine[]).filter((name) => engines[name]))
    for (const dark of [false, true])
      for (const scene of Object.values(scenes))
        await takeScene(scene, engine, dark, join(all, engine), ["desktop", "phone", "wall"]);
