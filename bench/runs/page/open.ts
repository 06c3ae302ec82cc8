/**
 * The volunteer page in a real Chromium with a cold profile, from the navigation to the first call of a kernel:
 * `node bench/runs/page/open.ts --measure bytes|ms [--host lab.test|localhost]`.
 * bytes: all bytes of the server until then, heads and frames included. ms: by the kernel's own clock.
 * On `lab.test` (plain HTTP: no secure context) Chromium takes gzip and hashes in JavaScript; on `localhost` it takes brotli.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { labHost } from "../../../scripts/lab-host.ts";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import { CountingProxy } from "../support/counting-proxy.ts";
import { connectTo, startServer } from "../support/platform.ts";
import { report } from "../support/report.ts";

const { values } = parseArgs({
  options: { measure: { type: "string", default: "ms" }, host: { type: "string", default: labHost } },
});

const server = await startServer({ flags: ["--allow-host", labHost] });
const { proxy, port } = await CountingProxy.open(server.url);
const hands = await connectTo(server);
// Queued before the page comes. The answer is the time of the call.
const job = hands.map(() => Date.now(), [0], { math: "native", verify: "off" });
while ((await hands.status()).tasks.queued < 1) await wait(20);
const browser = await launchBrowser();
const page = await browser.newPage();
const started = Date.now();
await page.goto(`http://${values.host}:${port}/?auto=1`);
const [called] = await job;
if (called === undefined) throw new Error("the kernel gave no answer");
const ms = called - started;
const bytes = proxy.before(called);
report(values.measure === "bytes" ? bytes : ms, { ms, bytes });
