import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labHost, launchBrowser } from "../support/browser.ts";
import { finished, readClients, readJob, readResults, submitJob } from "../support/jobs.ts";
import { openPage, press, untilText } from "../support/pages.ts";
import { root, until } from "../support/processes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { crashGraphics, multiplies, softwareGraphics } from "../support/webgpu.ts";

const inputs = [1, 2, 3, 4, 5, 6, 7, 8].map((factor) => ({ numbers: [1, 2.5, -3], factor }));
const products = inputs.map(({ numbers, factor }) => numbers.map((number) => number * factor));

/** Output of the example, wherever it computes. */
const starClusters =
  /^speed 1\.0: half of the stars within 0\.7\d at the start, 0\.7\d at the end\nspeed 0\.5: [^\n]* 0\.4\d at the end\nenergy conserved within 0\.1 %\n$/;

/** The volunteer page, which is another client each time. */
const open = (browser: Browser, server: TestServer, query = "", language?: string): Promise<Page> =>
  openPage(browser, `http://localhost:${server.port}/?auto=1&slots=1${query}`, language);

const hasWebGpu = async (server: TestServer, count = 1): Promise<boolean> =>
  (await readClients(server)).filter(({ webgpu }) => webgpu).length === count;

async function outputsOf(server: TestServer, id: string): Promise<number[][]> {
  const lines = await readResults(server, id);
  const outputs: number[][] = [];
  for (const line of lines) {
    if (line.state !== "done") throw new Error(JSON.stringify(line));
    const { base64 } = line.output as { base64: string };
    outputs[line.index] = [...new Float32Array(new Uint8Array(Buffer.from(base64, "base64")).buffer)];
  }
  return outputs;
}

describe("pages with WebGPU", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser({ isolateSandboxes: true, args: softwareGraphics });
  });
  afterAll(() => browser?.close());

  test("[GPU-2] [GPU-4] a volunteer's results are computed on the graphics processor, audited and accepted, although the bits differ", async () => {
    const server = await startTestServer();
    const { token } = await server.api("POST", "/api/tokens", { role: "client", name: "lab" });
    await open(browser, server, `&invite=${String(token)}`);
    await until(() => hasWebGpu(server));
    const clients = (await readClients(server)).map(({ id }) => id);
    await open(browser, server);
    await until(() => hasWebGpu(server, 2));
    // The trusted page computes nothing before the volunteer has delivered.
    await server.api("POST", "/api/clients", { verb: "drain", clients });
    // A graphics processor may round otherwise.
    const source = multiplies.replace(
      "export default ({ numbers, factor }) => multiply(Float32Array.from(numbers), factor);",
      `export default async ({ numbers, factor }) =>
        (await multiply(Float32Array.from(numbers), factor)).map((x) => x * (1 + Math.random() * 1e-4));`,
    );
    const options = { requires: { webgpu: true }, math: "native" };
    // The volunteer's results are judged when no task is left: it is drained long before, and the trusted page computes the rest.
    const many = Array.from({ length: 400 }, (_, at) => inputs[at % inputs.length]);
    const id = await submitJob(server, source, many, options);
    await until(async () => (await readJob(server, id)).counts.provisional > 0);
    const volunteers = (await readClients(server)).filter(({ trusted }) => !trusted).map((each) => each.id);
    await server.api("POST", "/api/clients", { verb: "drain", clients: volunteers });
    await server.api("POST", "/api/clients", { verb: "resume", clients });
    await until(finished(server, id));
    const job = await readJob(server, id);
    expect(job.compare).toEqual({ rel: 1e-3, norm: 1e-3 });
    expect(job.statement).toMatchObject({ wrong: 0, unverified: 0, irreproducible: false });
    expect(job.statement.audited).toBeGreaterThanOrEqual(1);
    const outputs = await outputsOf(server, id);
    outputs.forEach((output, at) =>
      output.forEach((x, i) =>
        expect(Math.abs(x - products[at % products.length]![i]!)).toBeLessThanOrEqual(1.1e-4 * Math.abs(x)),
      ),
    );
  });

  test("[GPU-2] a page that is stopped and started again has it, too", async () => {
    const server = await startTestServer();
    const page = await open(browser, server);
    // The first client looks for it while the second joins.
    await press(page, "Finish and stop");
    await press(page, "Start again");
    await until(() => hasWebGpu(server));
  });

  test("[GPU-1] the example of star clusters conserves energy there", async () => {
    const server = await startTestServer();
    const { token } = await server.api("POST", "/api/tokens", { role: "client", name: "lab" });
    await open(browser, server, `&invite=${String(token)}`);
    const example = join(root, "examples", "14-n-body.ts");
    const env = { ...process.env, MANYHANDS_SERVER: server.url, MANYHANDS_TOKEN: server.token };
    const { stdout } = await promisify(execFile)(process.execPath, [example, "--webgpu"], { env });
    expect(stdout).toMatch(starClusters);
    expect(await readClients(server)).toMatchObject([{ done: 2, webgpu: true }]);
  });

  test("[GPU-3] a task whose device is lost is computed again, and the page goes on", async () => {
    const server = await startTestServer();
    const page = await open(browser, server);
    await until(() => hasWebGpu(server));
    const source = `export default async (_, ctx) => {
      if (ctx.attempt > 1) return (await navigator.gpu.requestAdapter()) !== null;
      const device = await (await navigator.gpu.requestAdapter()).requestDevice();
      ctx.progress(0.5);
      await device.lost;
      await new Promise(() => {});
    };`;
    const id = await submitJob(server, source, [0], { requires: { webgpu: true }, verify: "off" });
    await until(async () => (await readJob(server, id)).fraction === 0.5);
    await crashGraphics(browser);
    await until(finished(server, id));
    expect(await readResults(server, id)).toMatchObject([{ state: "done", output: true }]);
    const [client] = await readClients(server);
    expect(client).toMatchObject({ webgpu: true, connected: true });
    await untilText(page, /No work right now/);
  });
});

describe("pages without WebGPU get no task that needs it, and say why", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser({ isolateSandboxes: true });
  });
  afterAll(() => browser?.close());

  test("[GPU-2] where there is no graphics processor, in English and German", async () => {
    const server = await startTestServer({ heartbeatMs: 300 });
    const id = await submitJob(server, multiplies, inputs, { requires: { webgpu: true } });
    const [english, german] = [await open(browser, server), await open(browser, server, "", "de")];
    await untilText(english, /This browser has none for them: there is none, its driver is too old/);
    await untilText(german, /Dieser Browser hat keinen für sie: Es gibt keinen, sein Treiber ist zu alt/);
    expect(await hasWebGpu(server, 0)).toBe(true);
    expect(await readJob(server, id)).toMatchObject({ state: "closed", counts: { done: 0, running: 0 } });
  });

  test("[GPU-2] on plain HTTP, which is no secure context", async () => {
    const server = await startTestServer({ heartbeatMs: 300 });
    await submitJob(server, multiplies, inputs, { requires: { webgpu: true } });
    const page = await openPage(browser, `http://${labHost}:${server.port}/?auto=1`);
    await untilText(page, /which browsers give to pages on https:\/\/ and localhost only/);
  });
});
