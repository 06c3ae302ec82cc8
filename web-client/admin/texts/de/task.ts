import type { Texts } from "../en/texts.ts";

export const task: Texts["task"] = {
  title: (index) => `Aufgabe ${index}`,
  job: "Auftrag",
  states: {
    queued: "wartet",
    running: "in Arbeit",
    provisional: "vorläufig",
    done: "fertig",
    failed: "gescheitert",
    cancelled: "abgebrochen",
  },
  input: "Eingabe",
  output: "Ausgabe",
  none: "keine",
  references: (blobs, bytes) => `und ${blobs} von ${bytes}`,
  inBlob: "in einem Blob",
  inline: "im Auftrag selbst",
  attempts: "Versuche",
  noAttempts:
    "Keine, an die sich dieser Server erinnert: Er behält die neuesten aller Aufträge seit seinem Start.",
  attempt: "Versuch",
  client: "Client",
  time: "Zeit",
  outcome: "Ausgang",
  result: "ein Ergebnis",
  running: "in Arbeit",
  runningShare: (share) => `in Arbeit, ${share}`,
};
