/**
 * MiB/s of blobs that one browser gets from another, without Manyhands: a WebRTC data channel between two profiles of a Chromium, which
 * hashes what it gets: `node bench/runs/data/browser-to-browser.ts [--mib 100] [--blobs 20]`. The connection is made within the measurement.
 */
import { parseArgs } from "node:util";
import type { Page } from "puppeteer";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import { startServer } from "../support/platform.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: { mib: { type: "string", default: "100" }, blobs: { type: "string", default: "20" } },
});
const blobs = Number(values.blobs);
const size = Math.floor((Number(values.mib) * 1024 ** 2) / blobs);

const server = await startServer();
// Without multicast DNS in the network, browsers find each other by their addresses alone, which they hide from pages.
const browser = await launchBrowser({ args: ["--disable-features=WebRtcHideLocalIpsWithMdns"] });

async function open(script: string): Promise<Page> {
  const page = await (await browser.createBrowserContext()).newPage();
  await page.setBypassCSP(true);
  await page.goto(`${server.url}/healthz`);
  await page.evaluate(script);
  return page;
}

const common = `
  var connection = new RTCPeerConnection();
  // Candidates travel within the descriptions.
  var described = async (description) => {
    await connection.setLocalDescription(description);
    if (connection.iceGatheringState !== "complete")
      await new Promise((resolve) => connection.addEventListener("icegatheringstatechange", () => connection.iceGatheringState === "complete" && resolve()));
    return JSON.stringify(connection.localDescription);
  };`;
const sender = await open(`${common}
  var bytes = new Uint8Array(${size});
  for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  var channel = connection.createDataChannel("blobs");
  channel.bufferedAmountLowThreshold = 1 << 20;
  channel.onopen = async () => {
    for (let blob = 0; blob < ${blobs}; blob++)
      for (let at = 0; at < bytes.length; at += 65536) {
        if (channel.bufferedAmount > 4 << 20) await new Promise((resolve) => (channel.onbufferedamountlow = resolve));
        channel.send(bytes.subarray(at, at + 65536));
      }
  };`);
const receiver = await open(`${common}
  var opened = new Promise((resolve) => (connection.ondatachannel = ({ channel }) => {
    channel.binaryType = "arraybuffer";
    const bytes = new Uint8Array(${size});
    let length = 0;
    let whole = 0;
    const hashes = [];
    var received = new Promise((resolve) => (channel.onmessage = ({ data }) => {
      bytes.set(new Uint8Array(data), length);
      length += data.byteLength;
      if (length < bytes.length) return;
      length = 0;
      hashes.push(crypto.subtle.digest("SHA-256", bytes));
      if (++whole === ${blobs}) resolve(Promise.all(hashes).then(({ length }) => length));
    }));
    globalThis.received = received;
    resolve();
  }));`);
const began = performance.now();
const offer = (await sender.evaluate("connection.createOffer().then(described)")) as string;
const answer = (await receiver.evaluate(
  `connection.setRemoteDescription(${offer}).then(() => connection.createAnswer()).then(described)`,
)) as string;
await sender.evaluate(`connection.setRemoteDescription(${answer})`);
await receiver.evaluate("opened");
const connectMs = performance.now() - began;
const hashed = await receiver.evaluate("received");
if (hashed !== blobs) throw new Error(`${String(hashed)} of ${blobs} blobs came`);
const ms = performance.now() - began;
report(rounded((size * blobs) / 1024 ** 2 / (ms / 1000), 1), { connectMs: Math.round(connectMs) });
