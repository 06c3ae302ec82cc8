import type { Browser, Page } from "puppeteer";
import { openPage } from "./pages.ts";
import type { TestServer } from "./server.ts";

/** Opens the admin page under a host of the server. */
export const openAdmin = (browser: Browser, server: { port: number }, host = "localhost"): Promise<Page> =>
  openPage(browser, `http://${host}:${server.port}/admin`);

/** Types a token into the admin page. */
export async function signIn(page: Page, token: string): Promise<void> {
  const field = await page.waitForSelector("input[name=token]");
  await field?.type(token);
  await page.keyboard.press("Enter");
}

/** A kernel that fails for inputs above 1. */
export const failing = "export default (x) => { if (x > 1) throw new Error('no particle ' + x); return x; }";

/** Submits a job of which two tasks fail. @returns its id */
export async function submitPicky(server: TestServer, options: object = {}): Promise<string> {
  const job = await server.api("POST", "/api/jobs", {
    name: "picky job",
    kernel: { source: failing },
    inputs: [1, 2, 3],
    maxAttempts: 1,
    ...options,
  });
  return String(job["id"]);
}
