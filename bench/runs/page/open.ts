/**
 * The volunteer page in a real Chromium with a cold profile, from the navigation to the first call of a kernel:
 * `node bench/runs/page/open.ts --measure bytes|ms [--host lab.test|localhost]`.
 * bytes: everything that the server sent until then, heads and frames included. ms: by the kernel's own clock.
 * On `lab.test` (plain HTTP: no secure context) Chromium takes gzip and hashes in JavaScript; on `localhost` it takes brotli.
 */
import { parseArgs } from "node:util";
import { connect } from "../../../customer/index.ts";
import { labHost, launchBrowser } from "../../../scripts/launch-browser.ts";
import { CountingProxy } from "../support/counting-proxy.ts";
import { measureRun, startServer } from "../support/processes.ts";

const { values } = parseArgs({
  options: { measure: { type: "string", default: "ms" }, host: { type: "string", default: labHost } },
});

await measureRun(async () => {
  const server = await startServer();
  const { proxy, port } = await CountingProxy.open(server.url);
  const hands = await connect(server.url, { token: server.token });
  // Waiting when the page comes. Its answer is when it was called.
  const job = hands.map(() => Date.now(), [0]);
  while ((await hands.status()).tasks.queued < 1) await new Promise((resolve) => setTimeout(resolve, 20));
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    const started = Date.now();
    await page.goto(`http://${values.host}:${port}/?auto=1`);
    const [called] = await job;
    if (called === undefined) throw new Error("the kernel gave no answer");
    const ms = called - started;
    const bytes = proxy.before(called);
    return { value: values.measure === "bytes" ? bytes : ms, ms, bytes };
  } finally {
    await browser.close();
    hands.close();
  }
});
