import { get, set } from "idb-keyval";
import type { ClientDescription } from "../../shared/client/ports.ts";
import { version } from "../../shared/version.ts";
import { identitySchema, type Identity } from "../../shared/wire/identity.ts";
import * as v from "valibot";
import type { Stores } from "./stores.ts";

const key = "client";

/** The identity that the servers gave this browser, if any, the addresses of the servers, and the storage of both. */
interface KnownIdentity {
  readonly known: Identity | undefined;
  readonly servers: readonly string[];
  keep(identity: Identity, servers: readonly string[]): Promise<void>;
}

const storedSchema = v.strictObject({
  ...identitySchema.entries,
  servers: v.optional(v.array(v.string()), []),
});

/**
 * The identity of this browser, the same after a reload, so that leases and outbox stay its own. Only the elected tab calls this, so
 * two tabs never share one. Where tabs cannot elect (`shared` false), every page gets an identity of its own.
 */
export async function openIdentity(stores: Stores | undefined, shared: boolean): Promise<KnownIdentity> {
  const stored = v.safeParse(storedSchema, shared ? await recall(stores) : undefined);
  return {
    known: stored.success ? { client: stored.output.client, secret: stored.output.secret } : undefined,
    servers: stored.success ? stored.output.servers : [],
    keep: async (identity, servers) => {
      if (shared) await remember(stores, { ...identity, servers });
    },
  };
}

async function recall(stores: Stores | undefined): Promise<unknown> {
  try {
    return stores ? await get(key, stores.state) : JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    return undefined;
  }
}

async function remember(stores: Stores | undefined, kept: unknown): Promise<void> {
  try {
    if (stores) await set(key, kept, stores.state);
    else sessionStorage.setItem(key, JSON.stringify(kept));
  } catch {
    // A browser that keeps no data is a new client at the next load.
  }
}

/** The client's description that this browser sends to the server. */
export function describeBrowser(
  identity: Identity | undefined,
  token: string | undefined,
  called: () => readonly (string | undefined)[] = () => [],
): ClientDescription {
  const browser = browserName(navigator.userAgent);
  return {
    identity,
    kind: "browser",
    get name() {
      const names = called().filter(Boolean).join(", ");
      return names ? `${names} (${browser})` : browser;
    },
    ...(token === undefined ? {} : { token }),
    memoryMb: memoryPerSlotMb(),
    // The page finds out after it has joined.
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
