/** The approximate size of a page of results. */
export interface PageSize {
  readonly items: number;
  readonly bytes: number;
}
