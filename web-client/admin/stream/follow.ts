import { attemptsKept, type Attempts } from "../../../shared/wire/attempts.ts";
import { request } from "../api.ts";
import type { StreamCanvas } from "./stream-canvas.ts";

const everyMs = 1_000;

/**
 * Asks for new attempts once a second, as long as the person sees the stream.
 * @param onNews - called after each reply
 * @returns a function that ends that
 */
export function follow(element: HTMLElement, stream: StreamCanvas, onNews: () => void): () => void {
  let life: string | undefined;
  let next = 0;
  let isSeen = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hasEnded = false;
  const ask = async (): Promise<void> => {
    timer = undefined;
    let waitMs = everyMs;
    try {
      const query = life === undefined ? "" : `?life=${life}&after=${next}`;
      const news = (await request("GET", `api/attempts${query}`)) as Attempts;
      if (news.life !== life) stream.bars.clear();
      ({ life, next } = news);
      stream.take(news);
      onNews();
      if (news.left > 0 && news.left <= attemptsKept) waitMs = 0;
    } catch {
      // The banner of old figures says that the server is away; the next reply has what was missed.
    }
    schedule(waitMs);
  };
  const schedule = (waitMs: number): void => {
    if (hasEnded || timer !== undefined || !isSeen || document.visibilityState === "hidden") return;
    timer = setTimeout(() => void ask(), waitMs);
  };
  const seen = new IntersectionObserver((entries) => {
    isSeen = entries.at(-1)?.isIntersecting ?? false;
    schedule(0);
  });
  seen.observe(element);
  const shown = (): void => schedule(0);
  document.addEventListener("visibilitychange", shown);
  return () => {
    hasEnded = true;
    clearTimeout(timer);
    seen.disconnect();
    document.removeEventListener("visibilitychange", shown);
  };
}
