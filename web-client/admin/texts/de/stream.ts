import type { Texts } from "../en/texts.ts";

export const stream: Texts["stream"] = {
  title: "Aufgabenstrom",
  zoomIn: "Vergrößern",
  zoomOut: "Verkleinern",
  now: "Jetzt",
  facts: (attempts, slots) => `${attempts} in ${slots}`,
  factsOfServer: (attempts, slots) => `${attempts} in ${slots} dieses Servers`,
  how: "Hineinklicken, dann: Mausrad oder + − vergrößert und verkleinert, Ziehen oder Pfeiltasten verschieben, [ ] gehen von Versuch zu Versuch.",
  chart: (attempts, slots) =>
    `Versuche nach der Zeit, eine Bahn je Slot: ${attempts} Versuche in ${slots} Slots. Pfeiltasten verschieben, Plus und Minus vergrößern und verkleinern, Pos1 und Ende führen zum ältesten und zum neuesten, eckige Klammern von Versuch zu Versuch.`,
  failed: "gescheitert",
  lost: "verloren",
  cancelled: "abgebrochen, zurückgegeben",
  verifies: "prüft ein anderes Ergebnis",
  task: (index) => `Aufgabe ${index}`,
  bundle: (count, index) => `${count} Aufgaben in einem Bündel, ab ${index}`,
  slot: (number) => `Slot ${number}`,
  running: "in Arbeit",
  verifying: (what) => `${what}; prüft ein anderes Ergebnis`,
  ends: {
    done: "fertig",
    failed: "gescheitert",
    lost: "verloren: Der Client ist verschwunden",
    cancelled: "abgebrochen: Das Ergebnis kam von anderswo, oder der Auftrag endete",
    returned: "zurückgegeben",
  },
};
