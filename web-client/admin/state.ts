import { computed, signal } from "@preact/signals";
import { PlatformError } from "../../shared/errors.ts";
import type { Snapshot } from "../../shared/wire/rest.ts";
import { request, type Session } from "./api.ts";

/** No push for this long means that it stopped: the server sends about one a second. */
const staleMs = 5_000;
/** The browser reconnects an event stream by itself unless the server refused it. */
const retryMs = 3_000;

export const session = signal<Session | undefined>(undefined);
export const snapshot = signal<Snapshot | undefined>(undefined);
export const notice = signal<PlatformError | undefined>(undefined);

const heardAt = signal(0);
const now = signal(0);

/** Seconds since the last push, once they are too many; undefined while the page is live. */
export const staleSeconds = computed(() => {
  const silentMs = now.value - heardAt.value;
  return snapshot.value && silentMs > staleMs ? Math.round(silentMs / 1000) : undefined;
});

let events: EventSource | undefined;

/** Looks who is signed in, and listens if it is an administrator. */
export async function open(): Promise<void> {
  setInterval(() => (now.value = performance.now()), 1_000);
  await refreshSession();
}

async function refreshSession(): Promise<void> {
  try {
    session.value = (await request("GET", "api/session")) as Session;
    notice.value = undefined;
  } catch (error) {
    notice.value = PlatformError.from(error);
    setTimeout(() => void refreshSession(), retryMs);
    return;
  }
  if (session.value.role === "admin") listen();
}

function listen(): void {
  events?.close();
  const source = new EventSource("api/events");
  events = source;
  const take = ({ data }: MessageEvent<string>): void => {
    snapshot.value = JSON.parse(data) as Snapshot;
    heardAt.value = now.value = performance.now();
  };
  source.addEventListener("message", take);
  source.addEventListener("snapshot", take);
  source.addEventListener("error", () => {
    // Refused: the session may have ended, or the server is not up yet.
    if (source.readyState === EventSource.CLOSED && events === source)
      setTimeout(() => void refreshSession(), retryMs);
  });
}

/** Exchanges a token for a session. @throws PlatformError */
export async function signIn(token: string): Promise<void> {
  session.value = (await request("POST", "api/session", { token })) as Session;
  if (session.value.role === "admin") listen();
}

export async function signOut(): Promise<void> {
  events?.close();
  events = undefined;
  await act("DELETE", "api/session");
  snapshot.value = undefined;
  session.value = { role: null, name: null };
}

/** Does what the person asked for; a refusal is shown. Resolves with the reply, or undefined when refused. */
export async function act(method: string, path: string, body?: unknown): Promise<unknown> {
  try {
    notice.value = undefined;
    return await request(method, path, body);
  } catch (error) {
    notice.value = PlatformError.from(error);
    return undefined;
  }
}
