import { userInfo } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { CountingProxy } from "../../bench/runs/support/counting-proxy.ts";
import { connect, type DataReference, type KernelContext } from "../../customer/index.ts";
import { createSigningKey } from "../../signing/keys.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { labHost, launchBrowser } from "../support/browser.ts";
import { readJob, readResults, submitUnverified } from "../support/jobs.ts";
import { newPage, openPage, press, untilText } from "../support/pages.ts";
import { until } from "../support/processes.ts";
import { quickest } from "../support/quickest.ts";
import { Link, links } from "../support/link/link.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser({ isolateSandboxes: true });
});
afterAll(() => browser?.close());

/** A slow kernel that reports progress. */
const slow = (ms: number, output = "x * x"): string => `export default async (x, ctx) => {
  for (let waited = 0; waited < ${ms}; waited += 20) {
    ctx.progress(waited / ${ms});
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return ${output};
};`;

const open = (server: TestServer, host: string, path = "/"): Promise<Page> =>
  openPage(browser, `http://${host}:${server.port}${path}`);

async function untilJob(server: TestServer, id: string, ready: (job: JobInfo) => boolean): Promise<void> {
  await until(async () => ready(await readJob(server, id)), 60_000);
}

async function outputs(server: TestServer, id: string): Promise<unknown[]> {
  const results = (await readResults(server, id)).filter((line) => line.state === "done");
  return results.sort((a, b) => a.index - b.index).map(({ output }) => output);
}

const long = "W".repeat(120);
const turning = "report\u202efdp.exe";

describe("names that others gave, on the volunteer page", () => {
  it("neither widen it at 390 pixels, nor turn the line or steer it", async () => {
    const server = await startTestServer();
    const { token } = await server.api("POST", "/api/tokens", { role: "customer", name: `eve\u202e${long}` });
    await fetch(`${server.url}/api/jobs`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ name: turning + long, kernel: { source: slow(60_000) }, inputs: [1] }),
    });
    const page = await open(server, "localhost", "/?auto=1");
    await page.setViewport({ width: 390, height: 844 });
    await untilText(page, /Computing for/);
    await page.waitForSelector(".slot-job");
    await page.waitForSelector("[role=progressbar]");
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    const text = String(await page.evaluate("document.body.innerText"));
    expect(text).not.toMatch(/[\u202a-\u202e]/);
    expect(text).toContain("\u2068report\ufffdfdp.exe");
    const label = await page.$eval("[role=progressbar]", (bar) => bar.getAttribute("aria-label"));
    expect(label).not.toContain("\u202e");
  });
});

describe("the keyboard and a reload, on the volunteer page", () => {
  const focused = "document.activeElement?.closest('.controls') !== null && document.activeElement.tagName";

  it("focus stays at the buttons when they change", async () => {
    const server = await startTestServer();
    const page = await open(server, "localhost");
    await untilText(page, /Start computing/);
    await page.focus("::-p-xpath(//button[normalize-space()='Start computing'])");
    await page.keyboard.press("Enter");
    await untilText(page, /No work right now/);
    await untilText(page, /Pause/);
    await page.waitForFunction(`(${focused}) === "BUTTON"`);
    await page.keyboard.press("Enter");
    await untilText(page, /Paused until/);
    await page.waitForFunction("document.activeElement.innerText === 'Resume'");
  });

  it("a reload goes on computing, unless the person paused or stopped; another visit waits for the button", async () => {
    const server = await startTestServer();
    const page = await open(server, "localhost");
    await press(page, "Start computing");
    await untilText(page, /No work right now/);
    await page.reload();
    await untilText(page, /No work right now/);
    await press(page, "Pause");
    await untilText(page, /Paused until/);
    await page.reload();
    await untilText(page, /Paused until you press Resume/);
    await press(page, "Resume");
    await untilText(page, /No work right now/);
    await page.goto("about:blank");
    await page.goto(`http://localhost:${server.port}/`);
    await untilText(page, /Start computing/);
    await press(page, "Start computing");
    await untilText(page, /No work right now/);
    await press(page, "Finish and stop");
    await untilText(page, /Stopped/);
    await page.reload();
    await untilText(page, /Start computing/);
  });
});

describe.each(["localhost", labHost])("the volunteer page on %s", (host) => {
  it("computes after one click, shows for whom and what, and says when there is no work", async () => {
    const server = await startTestServer();
    const id = await submitUnverified(server, slow(1000), [1, 2, 3, 4]);
    const page = await open(server, host);
    // The page is watched from before the tasks, of which it shows these while they run.
    const shown = Promise.all([
      untilText(page, new RegExp(`Computing for ${userInfo().username}\\.`)),
      untilText(page, /squares/),
      page.waitForFunction(`/[0-9a-f]{64}/.test(document.querySelector(".slot-foot code")?.title)`, {
        polling: 50,
      }),
    ]);
    await press(page, "Start computing");
    await shown;
    await untilJob(server, id, ({ state }) => state === "finished");
    expect(await outputs(server, id)).toEqual([1, 4, 9, 16]);
    await untilText(page, /No work right now/);
    await untilText(page, /Tasks done\s+4/);
  });

  it("[VOLUNTEER-10] starts by itself with ?auto=1, pauses, resumes, finishes and stops", async () => {
    const server = await startTestServer();
    const page = await open(server, host, "/?auto=1");
    await untilText(page, /No work right now/);
    await press(page, "Pause");
    await untilText(page, /takes a break[^]*Paused until you press Resume/);
    const id = await submitUnverified(server, slow(2000), [1, 2]);
    await press(page, "Resume");
    await untilJob(server, id, ({ counts }) => counts.running + counts.done > 0);
    await press(page, "Finish and stop");
    await untilText(page, /Thank you for your help/);
    const { counts } = await readJob(server, id);
    expect(counts.done).toBeGreaterThan(0);
    expect(counts.running).toBe(0);
  });
});

describe("the volunteer page", () => {
  it("[VOLUNTEER-10] says why it is refused and what to do", async () => {
    const server = await startTestServer({ volunteers: "invite" });
    const page = await open(server, "localhost", "/?auto=1");
    await untilText(page, /cannot help yet[^]*Open the invitation link/);
  });

  it("passes an invitation on, and takes it out of the address bar", async () => {
    const server = await startTestServer({ volunteers: "invite" });
    const { token } = await server.api("POST", "/api/tokens", { role: "volunteer", name: "class" });
    const page = await open(server, "localhost", `/?invite=${token}&auto=1`);
    await untilText(page, /No work right now/);
    expect(page.url()).not.toContain("invite");
    await page.reload();
    await untilText(page, /No work right now/);
  });

  it("[TRUST-6] computes as a trusted client by a trusted invitation, until that is revoked", async () => {
    const server = await startTestServer({ volunteers: "off" });
    const { id, inviteUrl } = await server.api("POST", "/api/tokens", { role: "client", name: "room 12" });
    const { search } = new URL(String(inviteUrl));
    const page = await open(server, "localhost", `/${search}&auto=1`);
    const job = await submitUnverified(server, slow(1), [3], { requires: { trusted: true } });
    await untilJob(server, job, ({ state }) => state === "finished");
    expect(await server.api("GET", "/api/clients")).toMatchObject([{ kind: "browser", trusted: true }]);
    await server.api("DELETE", `/api/tokens/${String(id)}`);
    await untilText(page, /revoked/);
    await expect.poll(() => server.api("GET", "/api/clients")).toMatchObject([{ connected: false }]);
  });

  it("ends a kernel that hangs by its time limit, and computes on", async () => {
    const server = await startTestServer();
    const hanging = await submitUnverified(server, "export default () => { for (;;); }", [1], {
      timeoutMs: 500,
      maxAttempts: 1,
    });
    const honest = await submitUnverified(server, slow(50), [3]);
    await open(server, "localhost", "/?auto=1");
    await untilJob(server, hanging, ({ counts }) => counts.failed === 1);
    await untilJob(server, honest, ({ state }) => state === "finished");
    const { failures } = await readJob(server, hanging);
    expect(failures[0]?.kind).toBe("timeout");
  });

  it("[CANCEL-1] stops a cancelled task within a second", async () => {
    const server = await startTestServer();
    const page = await open(server, "localhost", "/?auto=1&slots=1");
    const isIdle = "document.querySelector('.slot.idle') !== null";
    const ms = await quickest(async () => {
      const id = await submitUnverified(server, "export default () => { for (;;); }", [1]);
      await page.waitForFunction(`document.querySelector(".slot") !== null && !(${isIdle})`, { polling: 20 });
      await server.api("POST", `/api/jobs/${id}/cancel`);
      const cancelledAt = performance.now();
      await page.waitForFunction(isIdle, { polling: 20 });
      return performance.now() - cancelledAt;
    }, 1000);
    expect(ms).toBeLessThan(1_000);
  });

  it("keeps the number of cores that was chosen", async () => {
    const server = await startTestServer();
    const page = await open(server, "localhost");
    await press(page, "Settings");
    await page.waitForSelector(".slider");
    await page.evaluate(
      "{ const slider = document.querySelector('input[type=range]'); slider.value = slider.max; slider.dispatchEvent(new Event('input', { bubbles: true })); }",
    );
    const chosen = await page.$eval(".slider span", (label) => label.textContent);
    await page.reload();
    await press(page, "Settings");
    await page.waitForSelector(".slider");
    expect(await page.$eval(".slider span", (label) => label.textContent)).toBe(chosen);
  });

  it("[SIGN-4] names the signer of what it runs", async () => {
    const server = await startTestServer();
    const key = join(server.dataDirectory, "key");
    createSigningKey(key, "Ada Lovelace");
    await using hands = await connect(server.url, { token: server.token, signingKey: key });
    const page = await open(server, labHost, "/?auto=1");
    const job = hands.map(async () => new Promise<void>(() => {}), [1]);
    await untilText(page, /Core 1 · for \S+, signed by Ada Lovelace/);
    await job.cancel();
    await expect(job).rejects.toThrow();
  });

  it("[PAGE-1] tries again when code for a task's data cannot be loaded", async () => {
    const server = await startTestServer();
    const page = await newPage(browser);
    const failed = new Set<string>();
    await page.setRequestInterception(true);
    page.on("request", (request) => {
      const [name] = /(?:further-transfers|chunk-reader)[^/]*$/.exec(request.url()) ?? [];
      const isFirst = name !== undefined && !failed.has(name);
      if (name) failed.add(name);
      void (isFirst ? request.respond({ status: 503 }) : request.continue());
    });
    await page.goto(`http://${labHost}:${server.port}/?auto=1`);
    await using hands = await connect(server.url, { token: server.token });
    const stack = await hands.put(new Uint8Array(5 * 1024 ** 2).fill(7));
    const kernel = async (part: DataReference, ctx: KernelContext): Promise<DataReference> =>
      ctx.put((await ctx.data(part)).map((byte) => byte + 1));
    const [stored] = await hands.map(kernel, [stack.slice(3_000_000, 3_000_010)], { verify: "off" });
    expect(await hands.get(stored!)).toEqual(new Uint8Array(10).fill(8));
    expect(failed.size).toBe(2);
  });

  it("[PAGE-2] connects once with ?auto=1, before its program is there", async () => {
    const server = await startTestServer();
    const page = await newPage(browser);
    const seen: string[] = [];
    const devtools = await page.createCDPSession();
    await devtools.send("Network.enable");
    devtools.on("Network.webSocketCreated", () => seen.push("socket"));
    devtools.on("Network.responseReceived", ({ response }) => {
      if (response.url.includes("/volunteer-")) seen.push("program");
    });
    await page.goto(`http://${labHost}:${server.port}/?auto=1`);
    await untilJob(
      server,
      await submitUnverified(server, "export default (x) => x;", [1]),
      ({ state }) => state === "finished",
    );
    expect(seen).toEqual(["socket", "program"]);
  });

  it("[PAGE-2] is asked for when it is reloaded, and not when it is opened again soon", async () => {
    const server = await startTestServer();
    const address = `http://${labHost}:${server.port}/`;
    const page = await newPage(browser);
    const first = await page.goto(address);
    await page.goto("about:blank");
    const again = await page.goto(address);
    const reloaded = await page.reload();
    expect([first, again, reloaded].map((reply) => reply!.fromCache())).toEqual([false, true, false]);
  });

  it("[PAGE-2] begins the election before its program is there", async () => {
    const server = await startTestServer();
    const address = `http://${labHost}:${server.port}/`;
    const page = await newPage(browser);
    const begun = browser.waitForTarget((target) => target.url() === `${address}arbiter.js`);
    await page.setRequestInterception(true);
    page.on("request", (request) => {
      const isProgram = request.url().includes("/volunteer-");
      void (isProgram ? begun : Promise.resolve()).then(() => request.continue());
    });
    await page.goto(`${address}?auto=1`);
    await untilText(page, /No work right now/);
  });

  it("[MILES-7] takes and sends texts compressed over a slow link", async () => {
    const server = await startTestServer();
    const link = await Link.start(server.url, { ...links.b, downMbitPerS: 5, upMbitPerS: 2 });
    onTestFinished(() => link.close());
    const { token } = await server.api("POST", "/api/tokens", { role: "client", name: "room" });
    await open(
      { ...server, port: Number(new URL(link.url).port) },
      labHost,
      `/?invite=${String(token)}&auto=1`,
    );
    const warm = await submitUnverified(server, "export default (x) => x;", [1, 2, 3, 4]);
    await untilJob(server, warm, ({ state }) => state === "finished");
    const inputs = Array.from({ length: 30 }, (_, index) =>
      Array.from({ length: 8000 }, (_, at) => `particle ${index} at ${at}`),
    );
    const before = await link.counts();
    const id = await submitUnverified(server, "export default (lines) => lines.toReversed();", inputs);
    await untilJob(server, id, ({ state }) => state === "finished");
    const after = await link.counts();
    const bytes = 30 * 8000 * 20;
    expect(after.down - before.down).toBeLessThan(0.7 * bytes);
    expect(after.up - before.up).toBeLessThan(0.7 * bytes);
    expect(await outputs(server, id)).toEqual(inputs.map((lines) => lines.toReversed()));
  });

  it("[MILES-9] takes and sends long texts compressed over a slow link, after the first", async () => {
    const server = await startTestServer();
    const link = await Link.start(server.url, { ...links.b, upMbitPerS: 10 });
    onTestFinished(() => link.close());
    const { token } = await server.api("POST", "/api/tokens", { role: "client", name: "room" });
    await open(
      { ...server, port: Number(new URL(link.url).port) },
      labHost,
      `/?invite=${String(token)}&auto=1`,
    );
    const source = "export default (lines) => lines.toReversed();";
    const inputs = Array.from({ length: 13 }, (_, index) =>
      Array.from({ length: 25_000 }, (_, at) => `particle ${index} at ${at}`),
    );
    const warm = await submitUnverified(server, source, inputs.slice(0, 1));
    await untilJob(server, warm, ({ state }) => state === "finished");
    const before = await link.counts();
    const id = await submitUnverified(server, source, inputs.slice(1));
    await untilJob(server, id, ({ state }) => state === "finished");
    const after = await link.counts();
    const bytes = 12 * 25_000 * 20;
    expect(after.down - before.down).toBeLessThan(0.5 * bytes);
    expect(after.up - before.up).toBeLessThan(0.5 * bytes);
    expect(await outputs(server, id)).toEqual(inputs.slice(1).map((lines) => lines.toReversed()));
  }, 60_000);

  it("[PAGE-1] transfers at most 60,000 bytes before its first task, heads of replies and the sandbox's frame included", async () => {
    const server = await startTestServer();
    const { proxy, port } = await CountingProxy.open(server.url);
    onTestFinished(() => proxy.close());
    const id = await submitUnverified(server, "export default () => Date.now();", [1], { math: "native" });
    // Plain HTTP on a name of its own: browsers take gzip there and no Brotli, elect by the arbiter, and hash in JavaScript.
    await open({ ...server, port }, labHost, "/?auto=1");
    await untilJob(server, id, ({ state }) => state === "finished");
    const [calledAt] = await outputs(server, id);
    const bytes = proxy.before(Number(calledAt));
    expect(bytes).toBeGreaterThan(40_000);
    expect(bytes).toBeLessThanOrEqual(60_000);
  });
});
