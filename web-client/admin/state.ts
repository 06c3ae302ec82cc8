import { computed, signal } from "@preact/signals";
import { PlatformError } from "../../shared/errors.ts";
import type { Snapshot } from "../../shared/wire/rest/status.ts";
import { request, type SignedIn } from "./api.ts";

/** Figures are old after this long without a push: the server sends at least one every 2 s. */
const staleMs = 5_000;
/** The browser reconnects an event stream by itself unless the server refused it. */
const retryMs = 3_000;

export const signedIn = signal<SignedIn | undefined>(undefined);
export const snapshot = signal<Snapshot | undefined>(undefined);
export const notice = signal<PlatformError | undefined>(undefined);

const heardAt = signal(0);
const now = signal(0);

/** Seconds since the last push, when the figures are old; undefined while the page is live. */
export const staleSeconds = computed(() => {
  const silentMs = now.value - heardAt.value;
  return snapshot.value && silentMs > staleMs ? Math.round(silentMs / 1000) : undefined;
});

let events: EventSource | undefined;

/** Asks the server who is signed in, and listens to it for an administrator. */
export async function open(): Promise<void> {
  setInterval(() => (now.value = performance.now()), 1_000);
  await refreshSignIn();
}

async function refreshSignIn(): Promise<void> {
  try {
    signedIn.value = (await request("GET", "api/sign-in")) as SignedIn;
    notice.value = undefined;
  } catch (error) {
    notice.value = PlatformError.from(error);
    setTimeout(() => void refreshSignIn(), retryMs);
    return;
  }
  if (signedIn.value.role === "admin") listen();
}

function listen(): void {
  events?.close();
  const source = new EventSource("api/events");
  events = source;
  const hear = (): void => void (heardAt.value = now.value = performance.now());
  const take = ({ data }: MessageEvent<string>): void => {
    snapshot.value = JSON.parse(data) as Snapshot;
    hear();
  };
  source.addEventListener("message", take);
  source.addEventListener("alive", hear);
  source.addEventListener("error", () => {
    // The sign-in may have ended, or the server is not up yet.
    if (source.readyState === EventSource.CLOSED && events === source)
      setTimeout(() => void refreshSignIn(), retryMs);
  });
}

/** Exchanges a token for a sign-in. @throws PlatformError */
export async function signIn(token: string): Promise<void> {
  signedIn.value = (await request("POST", "api/sign-in", { token })) as SignedIn;
  if (signedIn.value.role === "admin") listen();
}

export async function signOut(): Promise<void> {
  events?.close();
  events = undefined;
  await act("DELETE", "api/sign-in");
  snapshot.value = undefined;
  signedIn.value = { role: null, name: null };
}

/** Sends a request of the person, and shows a refusal. Resolves with the reply; undefined when refused. */
export async function act(method: string, path: string, body?: unknown): Promise<unknown> {
  try {
    notice.value = undefined;
    return await request(method, path, body);
  } catch (error) {
    notice.value = PlatformError.from(error);
    return undefined;
  }
}
