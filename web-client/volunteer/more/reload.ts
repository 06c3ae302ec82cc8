import type { Host } from "../host.ts";
import { noteComputing } from "../settings.ts";

let isAsked = false;

/** Whether the page is about to load itself anew. */
export function isReloading(): boolean {
  return isAsked;
}

/**
 * Finishes what the page computes, delivers it, and loads the page anew, which goes on computing by itself (SPEC.md [CLIENTS-3]). A page that
 * its server does not deliver now, or that could not go on, stays as it is.
 *
 * @param tellOthers - has the other tabs of this browser load themselves anew, so that none of them takes over in the old version
 */
export async function reloadWhenDone(
  { props: { volunteer }, state: { phase } }: Host,
  tellOthers: () => void,
): Promise<void> {
  if (isAsked || phase.state !== "running" || phase.status.mode === "draining" || !keepsNotes()) return;
  if (!(await isDelivered())) return;
  isAsked = true;
  tellOthers();
  // A person who stops the page meanwhile has stopped it for good.
  const isDone = await volunteer.finish();
  isAsked = false;
  if (!isDone) return;
  if (!(await isDelivered())) return volunteer.start();
  addEventListener("pagehide", () => noteComputing(true));
  location.reload();
}

/** Whether the page knows after its reload that it computed, and by which invitation. */
function keepsNotes(): boolean {
  try {
    sessionStorage.setItem("manyhands.reload", "1");
    sessionStorage.removeItem("manyhands.reload");
    return true;
  } catch {
    return false;
  }
}

async function isDelivered(): Promise<boolean> {
  try {
    return (await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10_000) })).ok;
  } catch {
    return false;
  }
}
