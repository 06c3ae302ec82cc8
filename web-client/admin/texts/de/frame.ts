import type { Texts } from "../en/texts.ts";

export const frame: Texts["frame"] = {
  title: "Manyhands: Verwaltung",
  pages: "Seiten",
  status: "Übersicht",
  access: "Zugang",
  signOut: "Abmelden",
  asking: "Der Server wird gefragt …",
  waiting: "Die ersten Zahlen kommen gleich …",
  dismiss: "Schließen",
  stale: (seconds) => `Diese Zahlen sind ${seconds} s alt:`,
  staleHow:
    "Der Server schickt keine mehr. Die Seite verbindet sich von selbst wieder, sobald der Server antwortet.",
  leave: "Nein, so lassen",
  copy: "Kopieren",
  copied: "Kopiert",
  qrCode: (text) => `QR-Code von ${text}`,
  actions: "Aktionen",
  log: "Protokoll",
  newestLines: (shown, all) => `Die neuesten ${shown} von ${all} Zeilen.`,
  on: (client) => `auf ${client}`,
  signIn: {
    title: "Anmelden",
    wrongRole: (role) =>
      `Angemeldet ist ein Token der Rolle ${role}; diese Seite braucht das Token eines Administrators.`,
    how: "Diese Seite braucht das Token eines Administrators. Der Server hat eines beim Start in eine Datei geschrieben und sagt, in welche; `manyhands token create --role admin` macht ein weiteres.",
    token: "Token",
  },
};
