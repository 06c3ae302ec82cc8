/** A fault to plant: `find`, which stands once in `file`, becomes `replace`; one of `tests` has to fail with it. */
export interface PlantedFault {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
}
