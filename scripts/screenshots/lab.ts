import { PNG } from "pngjs";
import type { RunningServer } from "../../server/server.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { button, type Tab, type TestBrowser } from "../../test/support/browsers/browser.ts";

/** Arithmetic of about a second a task, in place of a laboratory's work, with a picture of it; two kinds of inputs are bad. */
export const kernel = `export default async (shift, ctx) => {
  const steps = 40;
  const width = 96, height = 48;
  ctx.log("micrograph " + shift + ": defocus 1.8 µm");
  let sum = 0;
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < 200000; i++) sum += Math.sin(shift + i) / (i + 1);
    ctx.progress((step + 1) / steps);
    if (step % 10 === 0) {
      const data = new Uint8ClampedArray(width * height * 4);
      for (let at = 0; at < width * height; at++) {
        const x = at % width - 48, y = Math.floor(at / width) - 24;
        const light = 128 + 127 * Math.cos(Math.sqrt(x * x + y * y) / 2 + shift + step / 8);
        data.set([light * 0.4, light * 0.7, light, 255], at * 4);
      }
      ctx.show({ width, height, data });
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (shift % 9 === 8) throw new RangeError("micrograph " + shift + " has no particles");
  if (shift % 13 === 12) throw new Error("out of scratch space");
  return sum;
};`;
export const failing = `export default (image) => { throw new RangeError("image " + image + " is empty"); };`;

/** Fewer than the 120 characters that a name may have, in one word. */
export const longName =
  "particles-of-beta-galactosidase-picked-again-with-the-new-network-in-all-micrographs-of-the-second-session-of-2026-batch";
export const rightToLeft = "שחזור תלת־ממדי של ריבוזום";

/** A tab that computes. */
export async function volunteering(server: RunningServer, browser: TestBrowser): Promise<Tab> {
  const tab = await browser.newTab();
  await tab.open(`${server.url}/?auto=1`);
  return tab;
}

export async function signedIn(server: RunningServer, browser: TestBrowser): Promise<Tab> {
  const tab = await browser.newTab();
  await tab.open(`${server.url}/admin`);
  await until(() => tab.evaluate("document.querySelector('input[name=token]') !== null"));
  await tab.show();
  await tab.type("input[name=token]", server.token);
  await tab.evaluate("document.querySelector('input[name=token]').form.requestSubmit()");
  await until(() => tab.evaluate("document.querySelector('.tiles') !== null"));
  return tab;
}

/** Shows a place of the admin page, such as `#/access`. */
export async function goTo(tab: Tab, hash: string, selector: string): Promise<void> {
  await tab.evaluate(`void (location.hash = ${JSON.stringify(hash)})`);
  await until(() => tab.evaluate(`document.querySelector(${JSON.stringify(selector)}) !== null`));
}

/** Opens everything that folds. */
export async function unfold(tab: Tab): Promise<void> {
  await tab.evaluate("void document.querySelectorAll('details').forEach((one) => { one.open = true; })");
}

/** @returns the job's id */
export async function submit(
  server: RunningServer,
  name: string,
  tasks: number,
  options: object = {},
  token = server.token,
): Promise<string> {
  const inputs = Array.from({ length: tasks }, (_, i) => i);
  const job = { name, kernel: { source: kernel }, inputs, maxAttempts: 1, failFast: false, ...options };
  const { id } = await api<{ id: string }>(server, "POST", "/api/jobs", job, token);
  return id;
}

export async function failedTasks(server: RunningServer, id: string): Promise<number> {
  return (await api<JobInfo>(server, "GET", `/api/jobs/${id}`)).counts.failed;
}

/** A picture, a drawing and a table. */
export async function attach(server: RunningServer, id: string): Promise<void> {
  const png = new PNG({ width: 240, height: 120 });
  for (let at = 0; at < png.data.length; at++) png.data[at] = at % 4 === 3 ? 255 : (at >> 3) % 256;
  const files = {
    "slice.png": PNG.sync.write(png),
    "fsc.svg": `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 80" width="400" height="160"><path d="M5 10 C80 10 90 70 195 72" fill="none" stroke="#246" stroke-width="3"/></svg>`,
    "shells.csv": "shell,fsc\n1,1.0\n2,0.98\n3,0.7\n",
  };
  for (const [name, body] of Object.entries(files)) {
    const reply = await fetch(`${server.url}/api/jobs/${id}/attachments/${name}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/octet-stream" },
      body,
    });
    if (!reply.ok) throw new Error(await reply.text());
  }
}

export async function api<T>(
  server: RunningServer,
  method: string,
  path: string,
  body?: unknown,
  token = server.token,
): Promise<T> {
  const reply = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!reply.ok) throw new Error(`${method} ${path}: ${await reply.text()}`);
  return (await reply.json()) as T;
}

export async function press(tab: Tab, label: string): Promise<void> {
  await tab.show();
  await tab.click(button(label));
}

export function untilText(tab: Tab, text: string): Promise<void> {
  return until(async () => (await tab.text()).includes(text));
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await condition());) {
    if (Date.now() > end) throw new Error(`This did not come true within a minute: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
