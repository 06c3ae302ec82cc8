export interface ElectionHandlers {
  /** This tab may compute. `exclusive` is false where the browser has no way to ask the other tabs. */
  readonly elected: (exclusive: boolean) => void;
  /** This tab was taken for dead (frozen, suspended) and another one computes now. It waits again. */
  readonly deposed: () => void;
}
