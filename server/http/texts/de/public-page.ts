import type { PublicPageTexts } from "../en/public-page.ts";

export const publicPage: PublicPageTexts = {
  title: "Manyhands: Fortschritt",
  heading: "Was diese Computer gemeinsam leisten",
  moreAbout: "Mehr über dieses Projekt",
  computers: "Computer",
  slotsBusy: "Slots belegt",
  of: (busy, slots) => `${busy} von ${slots}`,
  rate: "Ergebnisse je Sekunde",
  tasksDone: "Fertige Aufgaben",
  tasksWaiting: "Wartende Aufgaben",
  help: "Mit diesem Computer mithelfen",
  noJob: "Gerade kein Auftrag",
  oneJob: "1 Auftrag in Arbeit",
  jobs: (count) => `${count} Aufträge in Arbeit`,
  firstShown: (count) => `Die ersten ${count} sind zu sehen.`,
  job: (number) => `Auftrag ${number}`,
  ofCustomer: "von",
  progressOf: (job) => `Fortschritt von ${job}`,
  done: (done, total) => `${done} von ${total} Aufgaben fertig`,
  left: (time) => `, noch etwa ${time}`,
  days: (days) => `${days} Tage`,
};
