import { readSettings, settingsKey, type Settings } from "../settings.ts";

/** The choices that a person changed in another tab, which hold in this one as well; undefined where a storage event is about something else. */
export function changedSettings({ key, oldValue, newValue }: StorageEvent): Partial<Settings> | undefined {
  if (key !== settingsKey || newValue === null) return undefined;
  const before: Record<string, unknown> = { ...readSettings(oldValue) };
  const now: Record<string, unknown> = { ...readSettings(newValue) };
  const names = Object.keys({ ...before, ...now }).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]),
  );
  return Object.fromEntries(names.map((name) => [name, now[name]]));
}
