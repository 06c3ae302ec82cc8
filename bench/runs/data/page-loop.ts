/**
 * MiB/s of a loop in a page without Manyhands, in a real Chromium, four at a time:
 * `node bench/runs/data/page-loop.ts --way fetch|idb|opfs [--mib 256] [--blobs 256]`.
 * fetch: blobs of a server, fetched and hashed. idb, opfs: as many that the page has put into IndexedDB, or the origin's private file
 * system, and reads.
 */
import { parseArgs } from "node:util";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import { makeBlobs, mibPerSecond, nameOf } from "../support/blobs.ts";
import { connectTo, startServer } from "../support/platform.ts";
import { report } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    way: { type: "string", default: "fetch" },
    mib: { type: "string", default: "256" },
    blobs: { type: "string", default: "256" },
  },
});
const mib = Number(values.mib);
const blobs = Number(values.blobs);

const server = await startServer();
const names: string[] = [];
if (values.way === "fetch") {
  const hands = await connectTo(server);
  for (const bytes of makeBlobs({ mib, blobs })) {
    names.push(nameOf(bytes).sha256);
    await hands.put(bytes);
  }
  hands.close();
} else for (let at = 0; at < blobs; at++) names.push(String(at));

/** Each makes `read(name)`, which gives the bytes. */
const ways: Record<string, string> = {
  fetch: `
    const read = async (name) => {
      const reply = await fetch("api/blobs/" + name, { headers: { authorization: "Bearer ${server.token}" }, cache: "no-store" });
      const bytes = await reply.arrayBuffer();
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      if (Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") !== name) throw new Error("other bytes");
      return bytes;
    };`,
  idb: `
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = request.oncomplete = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const opening = indexedDB.open("plain", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("blobs");
    const database = await done(opening);
    for (const name of names) {
      const transaction = database.transaction("blobs", "readwrite");
      transaction.objectStore("blobs").put(randomBytes(), name);
      await done(transaction);
    }
    const read = (name) => done(database.transaction("blobs").objectStore("blobs").get(name));`,
  opfs: `
    const root = await navigator.storage.getDirectory();
    for (const name of names) {
      const file = await (await root.getFileHandle(name, { create: true })).createWritable();
      await file.write(randomBytes());
      await file.close();
    }
    const read = async (name) => (await (await root.getFileHandle(name)).getFile()).arrayBuffer();`,
};
const way = ways[values.way];
if (!way) throw new Error(`--way ${values.way}: expected one of ${Object.keys(ways).join(", ")}.`);

const browser = await launchBrowser({ isolateSandboxes: true });
const page = await browser.newPage();
// A document of the server, so that the page is of its origin, without the policy that its pages have.
await page.setBypassCSP(true);
await page.goto(`${server.url}/healthz`);
const size = Math.floor((mib * 1024 ** 2) / blobs);
const ms = (await page.evaluate(`(async () => {
  const names = ${JSON.stringify(names)};
  const randomBytes = () => {
    const bytes = new Uint8Array(${size});
    for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
    return bytes;
  };
  ${way}
  const start = performance.now();
  const rest = names.values();
  let sum = 0;
  const lane = async () => { for (const name of rest) {
    const { byteLength } = await read(name);
    sum += byteLength;
  } };
  await Promise.all([lane(), lane(), lane(), lane()]);
  if (sum !== ${size * blobs}) throw new Error("not all bytes");
  return performance.now() - start;
})()`)) as number;
report(mibPerSecond(size * blobs, ms));
