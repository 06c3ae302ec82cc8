import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAdmin, signIn, submitPicky } from "../support/admin-page.ts";
import { launchBrowser } from "../support/browser.ts";
import { click, untilText } from "../support/pages.ts";
import { until } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

describe("a job's page", () => {
  it("[RETRY-1] [TASK-1] [COST-1] shows failures in groups, retries one, and leads to a task", async () => {
    const server = await startTestServer();
    const kernel =
      "export default (x, ctx) => { ctx.log('saw ' + x); if (x > 1) throw new Error(x === 9 ? 'disk full' : 'no particle ' + x); return x; }";
    const id = await submitPicky(server, {
      kernel: { source: kernel },
      inputs: [1, 2, 3, 9],
      failFast: false,
      description: "Picks what is there",
    });
    const page = await openAdmin(browser, server);
    await signIn(page, server.token);
    await untilText(page, /picky job/);
    const volunteer = await page.browserContext().newPage();
    await volunteer.goto(`http://localhost:${server.port}/?auto=1`);
    await page.bringToFront();
    await page.locator("::-p-xpath(//a[normalize-space()='picky job'])").click();
    await page.waitForFunction(`location.hash === "#/jobs/${id}"`);
    await untilText(page, /kernel [0-9a-f]{10}, \d+ B[\s\S]*Picks what is there/);
    await untilText(page, /3 failed tasks[\s\S]*2 tasks the kernel threw[\s\S]*no particle[\s\S]*disk full/);
    await untilText(page, /Cost so far\s+\d+ CPU s[\s\S]*Slowest tasks[\s\S]*saw 9/);
    const client = await page.$eval("a[href^='#/?client-search=c_'] code", (code) => code.textContent);
    expect(client).toBe(((await server.api("GET", "/api/clients")) as unknown as { id: string }[])[0]?.id);
    await click(page, "Retry these");
    await click(page, "Retry them");
    await until(async () => {
      const audit = (await server.api("GET", "/api/audit")) as unknown as {
        action: string;
        detail: string;
      }[];
      return audit.some(
        ({ action, detail }) => action === "POST /api/jobs/{id}/requeue-failed" && detail === "2 tasks",
      );
    });
    await untilText(page, /3 failed tasks[\s\S]*2 tasks the kernel threw/);
    await page.goto(`http://localhost:${server.port}/admin#/jobs/${id}/tasks/3`);
    await untilText(page, /Task 3[\s\S]*failed[\s\S]*disk full[\s\S]*Attempts[\s\S]*on Linux[\s\S]*saw 9/);
    await page.goBack();
    await untilText(page, /3 failed tasks/);
  });

  it("[ATTACH-2] shows attachments, of which nothing runs, and gives the results as files", async () => {
    const server = await startTestServer();
    const id = await submitPicky(server, { name: "with figures" });
    const attach = (name: string, body: string) =>
      fetch(`${server.url}/api/jobs/${id}/attachments/${name}`, {
        method: "PUT",
        body,
        headers: { authorization: `Bearer ${server.token}`, "content-type": "application/octet-stream" },
      });
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" onload="parent.ran=1">
      <script>document.title = "ran"; fetch("/api/jobs/${id}", { method: "DELETE" });</script>
      <image href="/api/jobs/${id}/results?from=svg" width="1" height="1"/><rect width="40" height="20"/></svg>`;
    expect((await attach("a.svg", svg)).status).toBe(200);
    expect((await attach("b.csv", 'shell,"f,sc"\n1,0.5\n2,"say ""hi"""\n')).status).toBe(200);
    const page = await openAdmin(browser, server);
    const asked: string[] = [];
    page.on("response", (response) => asked.push(response.url()));
    await signIn(page, server.token);
    await untilText(page, /with figures/);
    await page.goto(`http://localhost:${server.port}/admin#/jobs/${id}`);
    await page.waitForFunction("document.querySelector('.attachment img')?.naturalWidth === 40");
    await untilText(page, /f,sc[\s\S]*say "hi"/);
    // Opened by itself, the picture has a policy of its own.
    await page.goto(`${server.url.replace("127.0.0.1", "localhost")}/api/jobs/${id}/attachments/a.svg`);
    expect(await page.evaluate("document.title + String(window.ran)")).toBe("undefined");
    expect(asked.filter((url) => url.includes("from=svg"))).toEqual([]);
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ id });
  });

  it("[VERIFY-11] does not claim that results which nobody verifies are of trusted clients", async () => {
    const server = await startTestServer();
    const id = await submitPicky(server, { kernel: { source: "export default (x) => x" }, verify: "off" });
    const page = await openAdmin(browser, server);
    await signIn(page, server.token);
    await untilText(page, /picky job/);
    const volunteer = await page.browserContext().newPage();
    await volunteer.goto(`http://localhost:${server.port}/?auto=1`);
    await page.bringToFront();
    await page.goto(`http://localhost:${server.port}/admin#/jobs/${id}`);
    await untilText(page, /3 done[\s\S]*taken as they come/);
    expect(await page.evaluate("document.body.innerText")).not.toMatch(/is of a trusted client/);
  });

  it("[ADDR-1] says of an invitation that only this machine can open it, in place of a QR code", async () => {
    const server = await startTestServer({ volunteers: "invite" });
    const page = await openAdmin(browser, server);
    await signIn(page, server.token);
    await untilText(page, /No jobs yet/);
    await page.goto(`http://localhost:${server.port}/admin#/access`);
    await page.type("input[name=name]", "open day");
    await click(page, "Make it");
    await untilText(page, /\?invite=mh_v_[\s\S]*Only this machine can open it/);
    expect(await page.$(".secret svg.qr")).toBeNull();
  });

  it("[TOKEN-1] [AUDIT-1] makes an invitation with a QR code, revokes it, and lists what was done", async () => {
    const server = await startTestServer({ volunteers: "invite", publicUrl: "https://hands.example.org" });
    const page = await openAdmin(browser, server);
    await signIn(page, server.token);
    await untilText(page, /No jobs yet/);
    await page.goto(`http://localhost:${server.port}/admin#/access`);
    await page.type("input[name=name]", "open day");
    await page.type("input[name=clients]", "7");
    await page.select("select[name=lifetime]", "86400");
    await click(page, "Make it");
    await untilText(page, /open day: shown this once[\s\S]*\?invite=mh_v_/);
    await page.waitForSelector(".secret svg.qr");
    await untilText(page, /open day[\s\S]*What administrators did[\s\S]*make token/);
    const tokens = (await server.api("GET", "/api/tokens")) as unknown as {
      name: string;
      maxClients?: number;
    }[];
    expect(tokens).toContainEqual(expect.objectContaining({ name: "open day", maxClients: 7 }));
    const limitOf = async (): Promise<number | undefined> => {
      const all = (await server.api("GET", "/api/tokens")) as unknown as typeof tokens;
      return all.find(({ name }) => name === "open day")?.maxClients;
    };
    const limit = "input[aria-label='Most clients at once with open day']";
    await page.waitForFunction(`document.querySelector(${JSON.stringify(limit)})?.value === "7"`);
    for (const [typed, expected] of [
      ["12", 12],
      ["", undefined],
    ] as const) {
      await page.locator(limit).click();
      await page.$eval(limit, (input) => (input as { select(): void }).select());
      await page.keyboard.press("Delete");
      await page.keyboard.type(`${typed}\n`);
      await until(async () => (await limitOf()) === expected);
    }
    await click(page, "Revoke");
    await click(page, "Revoke the token");
    await untilText(page, /revoke token/);
  });

  it("[QUOTA-7] gives a customer a quota of its own, and takes it back", async () => {
    const server = await startTestServer({ customerQuotaBytes: 5 * 1024 ** 3 });
    await server.api("POST", "/api/tokens", { role: "customer", name: "carol" });
    const page = await openAdmin(browser, server);
    await signIn(page, server.token);
    await untilText(page, /No jobs yet/);
    const quota = async (): Promise<unknown> =>
      ((await server.api("GET", "/api/usage")) as unknown as { ownQuota: unknown }[])[0]?.ownQuota;
    await page.goto(`http://localhost:${server.port}/admin#/access`);
    await click(page, "Quota");
    await page.waitForSelector("input[name=bytes]", { visible: true });
    await page.type("input[name=bytes]", "1.5");
    await page.type("input[name=openTasks]", "70");
    await click(page, "Set quota");
    await until(async () => (await quota()) !== undefined);
    expect(await quota()).toEqual({ bytes: 1.5 * 1024 ** 3, openTasks: 70 });
    await page.goto(`http://localhost:${server.port}/admin#/`);
    await untilText(page, /carol\s+with a quota of its own[\s\S]*of 1\.50? GiB[\s\S]*of 70/);
    await click(page, "Quota");
    await page.waitForSelector("input[name=openTasks]", { visible: true });
    expect(await page.$eval("input[name=openTasks]", (input) => (input as { value: string }).value)).toBe(
      "70",
    );
    for (const bound of ["bytes", "openTasks"])
      await page.$eval(`input[name=${bound}]`, (input) => ((input as { value: string }).value = ""));
    await click(page, "Set quota");
    await until(async () => (await quota()) === undefined);
  });
});
