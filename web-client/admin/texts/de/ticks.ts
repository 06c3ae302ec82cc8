import type { Texts } from "../en/texts.ts";

export const ticks: Texts["ticks"] = {
  column: "Ausgewählt",
  page: "Alle dieser Seite auswählen",
  tick: (name) => `${name} auswählen`,
  count: (rows) => `${rows} ausgewählt`,
  all: "Alle passenden auswählen",
  untick: "Auswahl aufheben",
  most: (count) => `Höchstens ${count} auf einmal.`,
};
