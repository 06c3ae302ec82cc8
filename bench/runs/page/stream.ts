/**
 * Time of a frame of the admin page's task stream with 50,000 bars, while it is zoomed with every frame, in a real Chromium:
 * `node bench/runs/page/stream.ts [--attempts 50000] [--clients 40]`. The attempts are made up in the reply; the page is the real one.
 */
import { parseArgs } from "node:util";
import { attemptsPerReply } from "../../../shared/wire/attempts.ts";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import { startServer } from "../support/platform.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: { attempts: { type: "string", default: "50000" }, clients: { type: "string", default: "40" } },
  strict: false,
});
const attempts = Number(values.attempts);
const clients = Number(values.clients);
const slots = 8;
const lanes = clients * slots;
const frames = 300;

const server = await startServer();
const browser = await launchBrowser();
const page = await browser.newPage();
await page.setViewport({ width: 1920, height: 1080 });
await page.setRequestInterception(true);
page.on("request", (request) => {
  if (!request.url().includes("/api/attempts")) return void request.continue();
  const after = Number(new URL(request.url()).searchParams.get("after") ?? 0);
  void request.respond({ contentType: "application/json", body: JSON.stringify(replyAfter(after)) });
});
await page.goto(`${server.url}/admin`);
const field = await page.waitForSelector("input[name=token]");
await field!.type(`${server.token}\n`);
await page.waitForFunction(`document.body.innerText.includes("${attempts.toLocaleString("en")} attempts")`, {
  polling: 50,
});
const took = (await page.evaluate(`(${String(animate)})(${frames})`)) as {
  paints: number[];
  intervals: number[];
};
const [paints, intervals] = [took.paints.sort((a, b) => a - b), took.intervals.sort((a, b) => a - b)];
const at = (times: number[], share: number): number =>
  rounded(times[Math.floor(times.length * share)] ?? 0, 2);
report(at(paints, 0.95), {
  attempts,
  lanes,
  paintMs: { median: at(paints, 0.5), p95: at(paints, 0.95), most: at(paints, 0.999) },
  intervalMs: { median: at(intervals, 0.5), p95: at(intervals, 0.95), most: at(intervals, 0.999) },
});

/** Bars of 0.2 s to 2 s in every lane; a few of them failed, lost, or checks. */
function replyAfter(after: number): object {
  const to = Math.min(attempts, after + attemptsPerReply);
  const numbers = Array.from({ length: to - after }, (_, i) => after + i);
  const perLane = attempts / lanes;
  const none: number[] = [];
  return {
    life: "bench",
    next: to,
    left: attempts - to,
    now: Date.now(),
    jobs: Array.from({ length: 12 }, (_, i) => ({
      id: `j_${"a".repeat(15)}${"abcdefghijkl"[i]}`,
      name: `job ${i}`,
    })),
    clients: Array.from({ length: clients }, (_, i) => ({
      id: `c_${i}`,
      name: `room 12, machine ${i}`,
      slots,
    })),
    ended: {
      jobs: numbers.map((n) => Math.floor(n / 997) % 12),
      clients: numbers.map((n) => Math.floor((n % lanes) / slots)),
      slots: numbers.map((n) => n % slots),
      indexes: numbers,
      counts: numbers.map(() => 1),
      agesMs: numbers.map((n) => (perLane - Math.floor(n / lanes)) * 1000 + (n % 7) * 40),
      tookMs: numbers.map((n) => 200 + ((n * 31) % 750)),
      ends: numbers.map((n) => (n % 211 === 0 ? 1 : n % 307 === 0 ? 2 : n % 97 === 0 ? 8 : 0)),
    },
    running: { jobs: none, clients: none, slots: none, indexes: none, agesMs: none, checks: none },
  };
}

/** Runs in the page: a wheel event a frame. `paints` is the time of the script of each frame. */
async function animate(count: number): Promise<{ paints: number[]; intervals: number[] }> {
  interface Canvas {
    focus(): void;
    clientWidth: number;
    dispatchEvent(event: unknown): boolean;
    getContext(kind: "2d"): { getImageData(x: number, y: number, w: number, h: number): unknown };
  }
  interface Window {
    document: { querySelector(selector: string): Canvas };
    WheelEvent: new (type: string, init: object) => object;
    requestAnimationFrame(callback: (at: number) => void): void;
  }
  const window = globalThis as unknown as Window;
  const canvas = window.document.querySelector(".stream canvas");
  canvas.focus();
  const paints: number[] = [];
  const intervals: number[] = [];
  const turn = (): Promise<number> => new Promise((resolve) => window.requestAnimationFrame(resolve));
  let last = await turn();
  for (let frame = 0; frame < count; frame++) {
    const delta = frame % 100 < 50 ? 40 : -40;
    const init = { deltaY: delta, deltaX: 0, bubbles: true, cancelable: true, clientX: 700 };
    canvas.dispatchEvent(new window.WheelEvent("wheel", init));
    // The stream draws in the frame that it asked for before this one was asked for: what passes until then is its work.
    const began = performance.now();
    const at = await new Promise<number>((resolve) =>
      window.requestAnimationFrame((time) => {
        resolve(time);
      }),
    );
    paints.push(performance.now() - Math.max(began, at));
    intervals.push(at - last);
    last = at;
  }
  return { paints, intervals };
}
