import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../bench/harness/services/ports.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import { failing, openAdmin, signIn, submitPicky } from "../support/admin-page.ts";
import { labHost, launchBrowser } from "../support/browser.ts";
import { readJob } from "../support/jobs.ts";
import { click, untilText } from "../support/pages.ts";
import { until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer } from "../support/server.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

describe.each(["localhost", labHost])("the admin page on %s", (host) => {
  it("lets nobody in without an administrator's token, and says what to do", async () => {
    const server = await startTestServer();
    const page = await openAdmin(browser, server, host);
    await signIn(page, "wrong");
    await untilText(page, /wrong, revoked or expired[\s\S]*MANYHANDS_TOKEN/);
    const { token } = await server.api("POST", "/api/tokens", { role: "customer", name: "carol" });
    await page.reload();
    await signIn(page, String(token));
    await untilText(page, /needs the token of an administrator/);
  });

  it("signs in, shows an empty server with what to do next, stays signed in, signs out", async () => {
    const server = await startTestServer();
    const page = await openAdmin(browser, server, host);
    await signIn(page, server.token);
    await untilText(page, /No jobs yet[\s\S]*Nobody computes yet/);
    await page.reload();
    await untilText(page, /No jobs yet/);
    await click(page, "Sign out");
    await untilText(page, /Sign in/);
    await page.reload();
    await untilText(page, /Sign in/);
  });

  it("shows a job's failures with stack, requeues them, sets its priority, cancels and deletes it", async () => {
    const server = await startTestServer();
    const id = await submitPicky(server);
    const page = await openAdmin(browser, server, host);
    await signIn(page, server.token);
    await untilText(page, /picky job[\s\S]*waiting/);
    await page.$eval("input.priority", (input) => (input as { focus(): void }).focus());
    await page.keyboard.type("7\n");
    await until(async () => (await readJob(server, id)).priority === 7);

    const volunteer = await page.browserContext().newPage();
    await volunteer.goto(`http://${host}:${server.port}/?auto=1`);
    await page.bringToFront();
    await untilText(page, /2 failed/);
    await click(page, "2 failed");
    await untilText(page, /the kernel threw[\s\S]*no particle 2/);
    await page.locator("summary").click();
    expect(await page.$eval(".failures pre", (pre) => pre.textContent)).toContain("Error: no particle");
    await untilText(page, /1 client\b[\s\S]*on Linux/);

    await click(page, "Retry");
    await click(page, "Retry them");
    // Two tasks twice: the page counts failures since the start.
    await untilText(page, /Tasks failed\s+4/);
    await untilText(page, /2 failed/);
    await click(page, "Delete");
    await click(page, "No, leave it");
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ id });
    await click(page, "Delete");
    await click(page, "Delete the job");
    await untilText(page, /No jobs yet/);
  });

  it("[QUOTA-1] [QUOTA-3] shows what customers keep, and that a quota is full", async () => {
    const server = await startTestServer({ customerQuotaBytes: 3000 });
    await submitPicky(server, { inputs: ["x".repeat(1000)], kernel: { source: "export default (x) => x" } });
    const page = await openAdmin(browser, server, host);
    await signIn(page, server.token);
    await untilText(page, /1 customer\b[\s\S]*of 2.93 KiB/);
    await submitPicky(server, {
      inputs: [1, 2, 3, 4, 5, 6].map(String),
      kernel: { source: "export default (x) => x + 'x'.repeat(1500)" },
    });
    const volunteer = await page.browserContext().newPage();
    await volunteer.goto(`http://${host}:${server.port}/?auto=1`);
    await page.bringToFront();
    await untilText(page, /quota full: no task is handed out/);
  });

  it("[VERIFY-2] [VERIFY-11] shows results that are provisional, and how they were verified", async () => {
    const server = await startTestServer();
    const volunteer = await new RawClient(server.url).join({ kind: "browser" });
    const id = await submitPicky(server, { requires: { kind: "browser" } });
    const page = await openAdmin(browser, server, host);
    await signIn(page, server.token);
    const { job, tasks } = await volunteer.lease(3);
    volunteer.finish(job, tasks[0]!, encodeValue(1));
    await untilText(page, /0 of 3 done\s+1 provisional/);
    await server.api("PUT", `/api/jobs/${id}/verify`, { verify: "off" });
    await untilText(page, /1 of 3 done[\s\S]*1 result of volunteers, not verified/);
    expect(await page.evaluate("document.body.innerText")).not.toContain("provisional");
  });

  it("cancels a job after asking", async () => {
    const server = await startTestServer();
    const id = await submitPicky(server);
    const page = await openAdmin(browser, server, host);
    await signIn(page, server.token);
    await untilText(page, /picky job/);
    await click(page, "Pause");
    await untilText(page, /paused/);
    await click(page, "Cancel");
    await untilText(page, /3 tasks will not be computed/);
    await click(page, "Cancel the job");
    await untilText(page, /cancelled/);
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ state: "cancelled" });
  });

  it("bans a client, whose page says so", async () => {
    const server = await startTestServer();
    const page = await openAdmin(browser, server, host);
    await signIn(page, server.token);
    await untilText(page, /Nobody computes yet/);
    const volunteer = await page.browserContext().newPage();
    await volunteer.goto(`http://${host}:${server.port}/?auto=1`);
    await page.bringToFront();
    await untilText(page, /on Linux/);
    await click(page, "Ban");
    await click(page, "Ban the client");
    await untilText(volunteer, /banned from the server[^]*administrator of the server, who can lift the ban/);
  });

  it("says that its figures are old when the server is gone", async () => {
    // No outgoing connection of the system takes this port while there is no server.
    const port = await freePort();
    const server = await startTestServer({ port });
    const page = await openAdmin(browser, server, host);
    await signIn(page, server.token);
    await untilText(page, /No jobs yet/);
    await server.close();
    await untilText(page, /These figures are \d+ s old/);
    await startTestServer({ dataDirectory: server.dataDirectory, port });
    await page.waitForFunction("!/These figures are/.test(document.body.innerText)", { polling: 100 });
  });
});

describe("[STREAM-2] the task stream", () => {
  it("shows each attempt when it ended, tells everything about the one under the pointer, and zooms", async () => {
    const server = await startTestServer();
    const volunteer = await new RawClient(server.url).join({ kind: "browser", name: "room 12" });
    await submitPicky(server, { requires: { kind: "browser" }, verify: "off" });
    const page = await openAdmin(browser, server);
    await signIn(page, server.token);
    const { job, tasks } = await volunteer.lease(3);
    const canvas = (await page.waitForSelector(".stream canvas"))!;
    await canvas.scrollIntoView();
    await untilText(page, /0 attempts in 1 slot/);
    volunteer.finish(job, tasks[0]!, encodeValue(1));
    const { index, attempt } = tasks[1]!;
    const failure = { kind: "error" as const, message: "no particle" };
    const outcome = { state: "failed" as const, failure };
    volunteer.send({ type: "results", job, results: [{ index, attempt, elapsedMs: 30, outcome }] });
    await untilText(page, /2 attempts in 1 slot/);
    await canvas.focus();
    await page.keyboard.press("]");
    await untilText(page, /picky job\S*, task 0[\s\S]*room 12\S*, slot 1[\s\S]*done/);
    await page.keyboard.press("]");
    await untilText(page, /picky job\S*, task 1[\s\S]*failed/);
    await page.keyboard.press("Escape");
    await page.waitForFunction("!document.querySelector('.tip')");
    // Zoomed out, the attempt that runs is under the pointer at the right edge.
    const box = (await canvas.boundingBox())!;
    await page.mouse.move(box.x + box.width - 2, box.y + 5);
    await untilText(page, /task 2[\s\S]*running/);
    await page.mouse.wheel({ deltaY: 300 });
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction("![...document.querySelectorAll('.stream button')].at(-1).disabled");
    await click(page, "Now");
    await page.waitForFunction("[...document.querySelectorAll('.stream button')].at(-1).disabled");
  });
});

const long = "W".repeat(120);

describe("names that others gave, on the status page", () => {
  it.each([390, 1280])("neither widen it at %i pixels, nor turn the line", async (width) => {
    const server = await startTestServer();
    const { token } = await server.api("POST", "/api/tokens", { role: "customer", name: `eve\u202e${long}` });
    await fetch(`${server.url}/api/jobs`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({
        name: `gnp\u202e${long}`,
        group: long,
        kernel: { source: failing },
        inputs: [1],
      }),
    });
    const page = await openAdmin(browser, server);
    await page.setViewport({ width, height: 844 });
    await signIn(page, server.token);
    await page.waitForSelector(".jobs tbody tr");
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    expect(await page.evaluate("document.querySelector('.jobs').scrollWidth")).toBeLessThan(width);
    // No button is squeezed so that its word breaks.
    expect(
      await page.evaluate(
        "Math.max(...[...document.querySelectorAll('.jobs .button')].map((b) => b.offsetHeight))",
      ),
    ).toBeLessThan(48);
    const text = String(await page.evaluate("document.body.innerText + document.body.innerHTML"));
    expect(text).not.toMatch(/[\u202a-\u202e]/);
    expect(text).toContain("\u2068gnp\ufffdWWW");
  });
});
