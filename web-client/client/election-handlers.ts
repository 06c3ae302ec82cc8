export interface ElectionHandlers {
  /** Called when the tab may compute. `exclusive` is false where the browser has no way to ask the other tabs. */
  readonly elected: (exclusive: boolean) => void;
  /** Another tab was elected because this tab seemed dead (frozen, suspended). This tab waits again. */
  readonly deposed: () => void;
}
