import type { ClientStatus } from "../../../shared/client/status.ts";
import { version } from "../../../shared/version.ts";
import type { History } from "./history.ts";
import type { ShownTrail } from "./trail.ts";

/** News of the tab that computes, for the other tabs of its browser (SPEC.md [VOLUNTEER-8]). */
export interface TabNews {
  readonly status: ClientStatus;
  readonly trail: Pick<ShownTrail, "entries" | "verified">;
  readonly measured: number | undefined;
  readonly history: History;
}

/** Another tab may be of another version of the page; its messages are not read. */
type Message =
  | { readonly version: string; readonly type: "ask" }
  /** The tab that computed loads itself anew, and so shall the others. */
  | { readonly version: string; readonly type: "reload" }
  | { readonly version: string; readonly type: "news"; readonly timeOrigin: number; readonly news: TabNews };

const leastMs = 1_000;

/** Passes the numbers of the tab that computes on to the others, which have a clock of their own each. */
export class OtherTabs {
  readonly #channel =
    typeof BroadcastChannel === "function" ? new BroadcastChannel("manyhands-tabs") : undefined;
  /** News of this tab; undefined while it does not compute. */
  readonly #tell: () => TabNews | undefined;
  #toldAt = -leastMs;
  #waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: () => TabNews | undefined, onNews: (news: TabNews) => void, onReload: () => void) {
    this.#tell = tell;
    this.#channel?.addEventListener("message", ({ data }: MessageEvent<Message>) => {
      if (data.version !== version) return;
      if (data.type === "ask") this.tell(0);
      else if (data.type === "reload") onReload();
      else onNews(onThisClock(data.news, data.timeOrigin - performance.timeOrigin));
    });
    this.#send({ version, type: "ask" });
  }

  /** Tells the others how it stands, at most once in `everyMs`. Every call tells what is due: timers of a hidden tab are late. */
  tell(everyMs = leastMs): void {
    const now = performance.now();
    const waitMs = this.#toldAt + everyMs - now;
    if (waitMs > 0) {
      this.#waiting ??= setTimeout(() => this.tell(0), waitMs);
      return;
    }
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    const news = this.#tell();
    if (!news) return;
    this.#toldAt = now;
    this.#send({ version, type: "news", timeOrigin: performance.timeOrigin, news });
  }

  reload(): void {
    this.#send({ version, type: "reload" });
  }

  #send(message: Message): void {
    this.#channel?.postMessage(message);
  }
}

/** The same news with times on the clock of this tab, which is behind the other tab's by `aheadMs`. */
function onThisClock(news: TabNews, aheadMs: number): TabNews {
  const slots = news.status.slots.map((slot) => {
    if (slot.state === "running") return { ...slot, startedAt: slot.startedAt + aheadMs };
    if (slot.state === "broken") return { ...slot, retryAt: slot.retryAt + aheadMs };
    return slot.restUntil === undefined ? slot : { ...slot, restUntil: slot.restUntil + aheadMs };
  });
  return { ...news, status: { ...news.status, slots } };
}
