import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { PlatformError } from "../../shared/errors.ts";
import { request } from "./api.ts";

export interface Reading<T> {
  readonly value: T | undefined;
  readonly error: PlatformError | undefined;
  /** Reads again at once. */
  readonly again: () => void;
}

/** Reads an address of the server, and again every `everyMs` while the page is shown. */
export function useReading<T>(path: string, everyMs: number): Reading<T> {
  const value = useSignal<T | undefined>(undefined);
  const error = useSignal<PlatformError | undefined>(undefined);
  const turn = useSignal(0);
  useEffect(() => {
    value.value = undefined;
    error.value = undefined;
  }, [path]);
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async (): Promise<void> => {
      try {
        const found = (await request("GET", path)) as T;
        if (isOver) return;
        value.value = found;
        error.value = undefined;
      } catch (caught) {
        if (isOver) return;
        error.value = PlatformError.from(caught);
      }
      timer = setTimeout(() => void read(), everyMs);
    };
    void read();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [path, everyMs, turn.value]);
  return { value: value.value, error: error.value, again: () => void turn.value++ };
}
