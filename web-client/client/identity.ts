import { get, set } from "idb-keyval";
import type { ClientIdentity } from "../../shared/client/ports.ts";
import { clientIdSchema, makeClientId, type ClientId } from "../../shared/ids.ts";
import { version } from "../../shared/version.ts";
import * as v from "valibot";
import type { Stores } from "./stores.ts";

const key = "client";

/**
 * The client id of this browser, the same after a reload, so that leases and outbox stay its own. Only the elected tab calls this, so
 * two tabs never share an id. Where tabs cannot elect (`shared` false), every page gets an id of its own.
 */
export async function loadClientId(stores: Stores | undefined, shared: boolean): Promise<ClientId> {
  const fresh = makeClientId((count) => crypto.getRandomValues(new Uint8Array(count)));
  if (!shared) return fresh;
  const known = v.safeParse(clientIdSchema, await recall(stores));
  if (known.success) return known.output;
  await remember(stores, fresh);
  return fresh;
}

async function recall(stores: Stores | undefined): Promise<unknown> {
  try {
    return stores ? await get(key, stores.state) : sessionStorage.getItem(key);
  } catch {
    return undefined;
  }
}

async function remember(stores: Stores | undefined, id: ClientId): Promise<void> {
  try {
    if (stores) await set(key, id, stores.state);
    else sessionStorage.setItem(key, id);
  } catch {
    // Where the browser keeps no data, the next load is a new client.
  }
}

/** The identity in this browser's `hello`. */
export function describeBrowser(client: ClientId, token: string | undefined): ClientIdentity {
  return {
    client,
    kind: "browser",
    name: browserName(navigator.userAgent),
    ...(token === undefined ? {} : { token }),
    memoryMb: memoryPerSlotMb(),
    // WebGPU kernels are not offered yet: the sandbox removes `navigator`.
    webgpu: false,
    version,
  };
}

function memoryPerSlotMb(): number {
  // The browser tells GiB, rounded and capped, in secure contexts only; 4 is a cautious guess for today's machines.
  const { deviceMemory = 4 } = navigator as Navigator & { deviceMemory?: number };
  const share = (deviceMemory * 1024) / navigator.hardwareConcurrency;
  return Math.round(Math.min(4096, Math.max(512, share)));
}

/** A name such as "Firefox on Windows", made of the user agent that the browser sends to every server. */
function browserName(userAgent: string): string {
  const browsers = [
    ["Edge", /Edg\//],
    ["Firefox", /Firefox\//],
    ["Chrome", /Chrome\//],
    ["Safari", /Safari\//],
  ] as const;
  const systems = [
    ["Android", /Android/],
    ["iOS", /iPhone|iPad/],
    ["ChromeOS", /CrOS/],
    ["Windows", /Windows/],
    ["macOS", /Mac OS X/],
    ["Linux", /Linux/],
  ] as const;
  const find = (table: readonly (readonly [string, RegExp])[], fallback: string): string =>
    table.find(([, pattern]) => pattern.test(userAgent))?.[0] ?? fallback;
  return `${find(browsers, "A browser")} on ${find(systems, "an unknown system")}`;
}
