import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeValue } from "../../shared/wire/codec.ts";
import { labHost, launchBrowser } from "../support/browser.ts";
import { readJob } from "../support/jobs.ts";
import { click, openPage, untilText } from "../support/pages.ts";
import { until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

const openAdmin = (server: TestServer, host: string): Promise<Page> =>
  openPage(browser, `http://${host}:${server.port}/admin`);

async function signIn(page: Page, token: string): Promise<void> {
  const field = await page.waitForSelector("input[name=token]");
  await field?.type(token);
  await page.keyboard.press("Enter");
}

const failing = "export default (x) => { if (x > 1) throw new Error('no particle ' + x); return x; }";

async function submit(server: TestServer, options: object = {}): Promise<string> {
  const job = await server.api("POST", "/api/jobs", {
    name: "picky job",
    kernel: { source: failing },
    inputs: [1, 2, 3],
    maxAttempts: 1,
    ...options,
  });
  return String(job["id"]);
}

describe.each(["localhost", labHost])("the admin page on %s", (host) => {
  it("lets nobody in without an administrator's token, and says what to do", async () => {
    const server = await startTestServer();
    const page = await openAdmin(server, host);
    await signIn(page, "wrong");
    await untilText(page, /wrong, revoked or expired[\s\S]*MANYHANDS_TOKEN/);
    const { token } = await server.api("POST", "/api/tokens", { role: "customer", name: "carol" });
    await page.reload();
    await signIn(page, String(token));
    await untilText(page, /needs the token of an administrator/);
  });

  it("signs in, shows an empty server with what to do next, stays signed in, signs out", async () => {
    const server = await startTestServer();
    const page = await openAdmin(server, host);
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
    const id = await submit(server);
    const page = await openAdmin(server, host);
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
    await untilText(page, /ended with failures|running|waiting/);
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
    await submit(server, { inputs: ["x".repeat(1000)], kernel: { source: "export default (x) => x" } });
    const page = await openAdmin(server, host);
    await signIn(page, server.token);
    await untilText(page, /1 customer\b[\s\S]*of 2.93 KiB/);
    await submit(server, {
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
    const id = await submit(server, { requires: { kind: "browser" } });
    const page = await openAdmin(server, host);
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
    const id = await submit(server);
    const page = await openAdmin(server, host);
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
    const page = await openAdmin(server, host);
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
    const server = await startTestServer();
    const page = await openAdmin(server, host);
    await signIn(page, server.token);
    await untilText(page, /No jobs yet/);
    await server.close();
    await untilText(page, /These figures are \d+ s old/);
    const { dataDirectory, port } = server;
    await startTestServer({ dataDirectory, port });
    await page.waitForFunction("!/These figures are/.test(document.body.innerText)", { polling: 100 });
  });
});

describe("[STREAM-2] the task stream", () => {
  it("shows each attempt when it ended, tells everything about the one under the pointer, and zooms", async () => {
    const server = await startTestServer();
    const volunteer = await new RawClient(server.url).join({ kind: "browser", name: "room 12" });
    await submit(server, { requires: { kind: "browser" }, verify: "off" });
    const page = await openAdmin(server, "localhost");
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
    const page = await openAdmin(server, "localhost");
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

describe("[LIST-1] [STATUS-1] many jobs, on the status page", () => {
  it("shows those that fail first, turns pages, searches on the server, and comes back", async () => {
    const server = await startTestServer();
    const body = { kernel: { source: failing }, inputs: [1], requires: { kind: "node" } };
    await submit(server, { name: "the oldest", inputs: [2] });
    const page = await openAdmin(server, "localhost");
    const volunteer = await page.browserContext().newPage();
    await volunteer.goto(`http://localhost:${server.port}/?auto=1`);
    await page.bringToFront();
    await signIn(page, server.token);
    await untilText(page, /1 failed/);
    for (let n = 0; n < 230; n++) await server.api("POST", "/api/jobs", { ...body, name: `many ${n}` });
    await untilText(page, /231 jobs[\s\S]*100 of 231 jobs/);
    await untilText(page, /the oldest[\s\S]*1 failed/);
    await click(page, "All, newest first");
    await untilText(page, /many 229[\s\S]*Page 1/);
    await click(page, "Next");
    await untilText(page, /many 129[\s\S]*Page 2/);
    await click(page, "Next");
    await untilText(page, /many 29[\s\S]*the oldest[\s\S]*Page 3/);
    const link = page.url();
    await click(page, "Back");
    await untilText(page, /many 129[\s\S]*Page 2/);
    const other = await page.browserContext().newPage();
    await other.goto(link);
    await untilText(other, /many 29[\s\S]*the oldest[\s\S]*Page 3/);
    await other.close();
    await page.bringToFront();
    await click(page, "First");
    await page.select(".question select[aria-label='In which order']", "name");
    await untilText(page, /many 0\n[\s\S]*many 100[\s\S]*Page 1/);
    expect(page.url()).toMatch(/#\/\?state=all&sort=name$/);
    await page.select(".question select[aria-label='In which order']", "newest");
    await page.type(".question input", "MANY 22");
    await page.waitForFunction(
      "document.querySelectorAll('.jobs tbody tr').length === 12 && /many 229/.test(document.body.innerText)",
      { polling: 50 },
    );
    await page.select(".question select[aria-label='Which jobs']", "failing");
    await untilText(page, /No job is like that/);
    await page.select(".question select[aria-label='Which jobs']", "");
    await page.$eval(".question input", (input) => ((input as { value: string }).value = ""));
    await page.type(".question input", " ");
    await untilText(page, /100 of 231 jobs/);
  });
});

describe("[STEER-1] several jobs at once", () => {
  it("ticks jobs of a page and all that match, asks how many, and pauses, resumes, cancels and retries them", async () => {
    const server = await startTestServer();
    const ids: string[] = [];
    for (let n = 0; n < 105; n++)
      ids.push(await submit(server, { name: `batch ${n}`, kernel: { source: "export default (x) => x" } }));
    const failed = await submit(server, { name: "failing one" });
    const client = await new RawClient(server.url).join();
    const page = await openAdmin(server, "localhost");
    await page.setViewport({ width: 1280, height: 900 });
    await signIn(page, server.token);
    await untilText(page, /106 jobs/);
    const press = async (label: string): Promise<void> => {
      const bar = await page.waitForSelector("[aria-label='Ticked jobs']");
      await (await bar!.waitForSelector(`::-p-xpath(.//button[normalize-space()='${label}'])`))!.click();
    };
    const states = async (): Promise<Record<string, number>> => {
      const counts: Record<string, number> = {};
      for (const { state, paused } of (await server.api("GET", "/api/jobs?search=batch")) as unknown as {
        state: string;
        paused: boolean;
      }[])
        counts[paused ? "paused" : state] = (counts[paused ? "paused" : state] ?? 0) + 1;
      return counts;
    };
    await page.type("[aria-labelledby=jobs] .filter", "batch");
    await page.locator("input[aria-label='Tick batch 104']").click();
    await page.locator("input[aria-label='Tick batch 103']").click();
    await press("Pause");
    await untilText(page, /Pause 2 jobs\?/);
    await click(page, "Pause 2 jobs");
    await until(async () => (await states())["paused"] === 2);
    // Jobs are no longer ticked once they are paused.
    await page.waitForSelector("[aria-label='Ticked jobs']", { hidden: true });
    await page.locator("[aria-labelledby=jobs] input[aria-label='Tick all of this page']").click();
    await untilText(page, /100 jobs ticked/);
    await press("Tick all that match");
    await untilText(page, /105 jobs ticked/);
    await press("Cancel");
    await click(page, "No, leave it");
    await press("Resume");
    await click(page, "Resume 105 jobs");
    await until(async () => (await states())["paused"] === undefined);
    await page.locator("[aria-labelledby=jobs] input[aria-label='Tick all of this page']").click();
    await press("Tick all that match");
    await untilText(page, /105 jobs ticked/);
    await press("Cancel");
    await click(page, "Cancel 105 jobs");
    await until(async () => (await states())["cancelled"] === 105);
    const { job, tasks } = await client.lease(3);
    expect(job).toBe(failed);
    client.send({
      type: "results",
      job,
      results: tasks.map(({ index, attempt }) => ({
        index,
        attempt,
        elapsedMs: 1,
        outcome: { state: "failed", failure: { kind: "error", message: "no particle" } },
      })),
    });
    await page.select(".question select[aria-label='Which jobs']", "failing");
    await page.$eval("[aria-labelledby=jobs] .filter", (input) => ((input as { value: string }).value = ""));
    await page.type("[aria-labelledby=jobs] .filter", " ");
    await page.locator("input[aria-label='Tick failing one']").click();
    await press("Retry failed");
    await click(page, "Retry 1 job");
    await until(async () => (await readJob(server, failed)).counts.failed === 0);
  });
});

describe("a job's page", () => {
  it("[RETRY-1] [TASK-1] [COST-1] shows failures in groups, retries one, and leads to a task", async () => {
    const server = await startTestServer();
    const kernel =
      "export default (x, ctx) => { ctx.log('saw ' + x); if (x > 1) throw new Error(x === 9 ? 'disk full' : 'no particle ' + x); return x; }";
    const id = await submit(server, { kernel: { source: kernel }, inputs: [1, 2, 3, 9], failFast: false });
    const page = await openAdmin(server, "localhost");
    await signIn(page, server.token);
    await untilText(page, /picky job/);
    const volunteer = await page.browserContext().newPage();
    await volunteer.goto(`http://localhost:${server.port}/?auto=1`);
    await page.bringToFront();
    await page.locator("::-p-xpath(//a[normalize-space()='picky job'])").click();
    await page.waitForFunction(`location.hash === "#/jobs/${id}"`);
    await untilText(page, /3 failed tasks[\s\S]*2 tasks the kernel threw[\s\S]*no particle[\s\S]*disk full/);
    await untilText(page, /Cost so far\s+\d+ CPU s[\s\S]*Slowest tasks[\s\S]*saw 9/);
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
    const id = await submit(server, { name: "with figures" });
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
    const page = await openAdmin(server, "localhost");
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

  it("[TOKEN-1] [AUDIT-1] makes an invitation with a QR code, revokes it, and lists what was done", async () => {
    const server = await startTestServer({ volunteers: "invite" });
    const page = await openAdmin(server, "localhost");
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
    expect(await page.$eval(limit, (input) => (input as { value: string }).value)).toBe("7");
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
    const page = await openAdmin(server, "localhost");
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

describe("[CLIENTS-1] [CLIENTS-2] many clients, on the status page", () => {
  it("searches, sorts and pages them on the server, says why one is idle, and drains all that match", async () => {
    const server = await startTestServer({ maxConnectionsPerAddress: 1000 });
    const clients: RawClient[] = [];
    for (let n = 0; n < 300; n++)
      clients.push(await new RawClient(server.url).join({ name: `machine ${n}`, slots: 1 + (n % 7) }));
    await submit(server, { requires: { webgpu: true } });
    for (const client of clients) client.send({ type: "want", tasks: 1, slots: 1 });
    const page = await openAdmin(server, "localhost");
    await page.setViewport({ width: 1280, height: 900 });
    await signIn(page, server.token);
    await untilText(
      page,
      /Nothing is computed at present[\s\S]*1 job needs WebGPU, which no connected client has/,
    );
    await untilText(page, /300 clients[\s\S]*100 of 300 clients/);
    await page.select("select[aria-label='Order of clients']", "joined");
    await untilText(page, /machine 299[\s\S]*300 clients found, from 1 on/);
    await click(page, "On");
    await untilText(page, /machine 199[\s\S]*from 101 on/);
    await page.type("[aria-labelledby=clients] .filter", "machine 29");
    await untilText(page, /13 clients found/);
    await page.locator("::-p-xpath(//button[normalize-space()='why?'])").click();
    await untilText(page, /1 job needs WebGPU, which this client does not have/);
    await page.locator("[aria-labelledby=clients] input[aria-label='Tick all of this page']").click();
    await untilText(page, /13 clients ticked/);
    const bar = await page.waitForSelector(".ticked");
    await (await bar!.waitForSelector("::-p-xpath(.//button[normalize-space()='Drain'])"))!.click();
    await untilText(page, /drained[\s\S]*Give tasks/);
    await page.select("select[aria-label='Which clients']", "drained");
    await untilText(page, /13 clients found/);
    const drained = (await server.api("GET", "/api/clients?state=drained")) as unknown as { name: string }[];
    expect(drained.every(({ name }) => name.includes("29"))).toBe(true);
    await page.locator("[aria-labelledby=clients] input[aria-label='Tick all of this page']").click();
    await click(page, "Reload");
    await untilText(page, /Ask 13 clients to reload\?/);
    await click(page, "Ask 13 clients");
    const asked = ({ received }: RawClient): boolean =>
      received.some((message) => message.type === "heartbeat" && message.reload === true);
    await until(() => clients.filter(asked).length === 13);
  }, 90_000);
});
