/** Check boxes of tables. */
export const ticks = {
  column: "Ticked",
  page: "Tick all of this page",
  tick: (name: string) => `Tick ${name}`,
  count: (rows: string) => `${rows} ticked`,
  all: "Tick all that match",
  untick: "Untick",
  most: (count: string) => `At most ${count} at once.`,
};
