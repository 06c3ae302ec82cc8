import { loadSettings, settingsKey, type Settings } from "../settings.ts";

/** The choices that a person changed in another tab, which hold in this one as well; undefined where a storage event is about something else. */
export function changedSettings(event: StorageEvent): Partial<Settings> | undefined {
  if (event.key !== settingsKey || event.newValue === null) return undefined;
  const before = parsed(event.oldValue);
  const now: Partial<Record<string, unknown>> = { ...loadSettings() };
  const names = Object.keys({ ...before, ...now }).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]),
  );
  return Object.fromEntries(names.map((name) => [name, now[name]]));
}

function parsed(text: string | null): Partial<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text ?? "{}")) as Partial<Record<string, unknown>>;
  } catch {
    return {};
  }
}
