import { signal, type ReadonlySignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { PlatformError } from "../../shared/errors.ts";
import { nextCursorHeader } from "../../shared/wire/rest/pages.ts";
import { formatCount } from "../ui/format.ts";
import { requestWhole } from "./api.ts";
import { notice } from "./state.ts";
import { texts } from "./texts/current.ts";

/** One request acts on as many as this. */
const mostTicked = 10_000;

/** Rows of a table that the person ticked, on all of its pages. */
export class Ticks {
  readonly #ids = signal<ReadonlySet<string>>(new Set());

  get ids(): ReadonlySignal<ReadonlySet<string>> {
    return this.#ids;
  }

  set(ids: Iterable<string>, isTicked: boolean): void {
    const all = new Set(this.#ids.value);
    for (const id of ids)
      if (isTicked) all.add(id);
      else all.delete(id);
    this.#ids.value = all;
  }

  clear(): void {
    this.#ids.value = new Set();
  }

  /** Ticks everything that a list of the server finds, on all pages. */
  async setAll(path: string, query: URLSearchParams): Promise<void> {
    try {
      const ids = new Set<string>();
      let cursor: string | null = null;
      do {
        if (cursor !== null) query.set("cursor", cursor);
        const { body, headers } = await requestWhole("GET", `${path}?${query}`);
        for (const { id } of body as readonly { readonly id: string }[])
          if (ids.size < mostTicked) ids.add(id);
        cursor = headers.get(nextCursorHeader);
      } while (cursor !== null && ids.size < mostTicked);
      this.#ids.value = ids;
    } catch (error) {
      notice.value = PlatformError.from(error);
    }
  }
}

export function TickBox({ ticks, id, name }: { ticks: Ticks; id: string; name: string }): JSX.Element {
  return (
    <input
      type="checkbox"
      aria-label={texts.ticks.tick(name)}
      checked={ticks.ids.value.has(id)}
      onChange={({ currentTarget }) => ticks.set([id], currentTarget.checked)}
    />
  );
}

/** Ticks the rows of the shown page. */
export function TickPageBox({
  ticks,
  rows,
}: {
  ticks: Ticks;
  rows: readonly { readonly id: string }[];
}): JSX.Element {
  const areAll = rows.every(({ id }) => ticks.ids.value.has(id));
  return (
    <input
      type="checkbox"
      aria-label={texts.ticks.page}
      checked={areAll}
      onChange={() =>
        ticks.set(
          rows.map(({ id }) => id),
          !areAll,
        )
      }
    />
  );
}

/** Buttons that act on all ticked rows. */
export function TickedBar({
  ticks,
  label,
  noun,
  onAll,
  children,
}: {
  ticks: Ticks;
  label: string;
  /** As in "3 clients". */
  noun: string;
  onAll: () => Promise<void>;
  children: ComponentChildren;
}): JSX.Element {
  return (
    <div class="ticked" role="group" aria-label={label}>
      <span class="strong">{texts.ticks.count(noun)}</span>
      <button type="button" class="button small" onClick={() => void onAll()}>
        {texts.ticks.all}
      </button>
      {children}
      <button type="button" class="button small" onClick={() => ticks.clear()}>
        {texts.ticks.untick}
      </button>
      {ticks.ids.value.size === mostTicked && (
        <span class="muted">{texts.ticks.most(formatCount(mostTicked))}</span>
      )}
    </div>
  );
}
