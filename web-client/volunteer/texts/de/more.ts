import type { MoreTexts } from "../en/more.ts";

export const more: MoreTexts = {
  days: ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
  today: "heute",
  tomorrow: "morgen",
  at: (day, time) => `${day === "heute" || day === "morgen" ? day : `am ${day}`} um ${time} Uhr`,
  held: {
    until: (when) => `Pause bis ${when}.`,
    forGood: "Pause, bis „Weiter“ gedrückt wird.",
    schedule: (when) => `Außerhalb der gewählten Stunden. Rechnet ${when} weiter.`,
    never:
      "In keiner Stunde der Woche darf gerechnet werden: unter „Einstellungen“ welche wählen, oder „Weiter“ drücken.",
    battery: "Dieser Computer läuft mit Akku. Rechnet weiter, sobald er am Netz hängt.",
    busy: "Dieser Computer wird gerade benutzt. Rechnet weiter, wenn ihn eine Minute lang niemand benutzt hat.",
    finishing: "Begonnenes wird noch fertig gerechnet.",
  },
  reloading:
    "Die Seite lädt gleich ihre neueste Fassung: Sie rechnet erst fertig und macht dann von selbst weiter.",
  resting: (percent, seconds) => `Ruht ${seconds} s, um unter ${percent} des Prozessors zu bleiben.`,
  idle: {
    none: "Gerade keine Arbeit: Niemand hat hier einen Auftrag. Diese Seite wartet und beginnt von selbst.",
    paused: (jobs) =>
      jobs === 1
        ? "Nichts zu tun: Der einzige Auftrag hier ist angehalten. Er geht von selbst weiter."
        : `Nichts zu tun: ${jobs} Aufträge sind von ihren Besitzern angehalten. Sie gehen von selbst weiter.`,
    full: "Nichts zu tun: Der Speicher derer, die hier Aufträge haben, ist voll, bis sie Platz schaffen.",
    data: "Nichts zu tun: Daten der Aufträge sind beschädigt, bis ihre Besitzer sie neu schicken.",
    taken: "Alle Aufgaben werden gerade von anderen gerechnet. Die nächste kommt von selbst.",
    answered:
      "Jede Aufgabe soll hier von verschiedenen Leuten gerechnet werden, und dieser Computer (oder einer in diesem Netz) hat seinen Teil getan. Der nächste Auftrag kommt von selbst.",
    barred:
      "Dieser Computer ist an Aufgaben gescheitert, an denen andere nicht scheiterten, und bekommt von diesen Aufträgen keine mehr. Seite neu laden oder einen anderen Browser versuchen.",
    tried:
      "Ein Programm ist auf diesem Computer gescheitert; andere versuchen es, bevor es wiederkommt. Die nächste Aufgabe kommt von selbst.",
    credit:
      "Neue Helfer bekommen wenige Aufgaben auf einmal, bis einige ihrer Ergebnisse geprüft sind. Die nächste kommt von selbst.",
    needs: {
      node: "Die Aufträge hier brauchen das Programm ohne Browser (manyhands client).",
      memory: "Die Aufträge hier brauchen mehr Speicher, als dieser Browser einem Kern gibt.",
      command:
        "Die Aufträge hier starten ein Programm, das auf Computern des Labors installiert ist. Kein Browser bekommt sie.",
      trusted: "Die Aufträge hier sind nur für Computer mit einer Einladung des Betreibers.",
      other: "Die Aufträge hier brauchen etwas, das dieser Computer nicht hat.",
    },
    webgpu: {
      looking:
        "Die Aufträge hier brauchen einen Grafikprozessor (WebGPU). Diese Seite stellt gerade fest, ob sie einen benutzen darf.",
      insecure:
        "Die Aufträge hier brauchen einen Grafikprozessor (WebGPU), den Browser nur Seiten unter https:// und localhost geben. Diese Seite hat eine andere Adresse.",
      missing:
        "Die Aufträge hier brauchen einen Grafikprozessor (WebGPU), den dieser Browser Seiten nicht gibt. Ein anderer Browser oder eine neuere Version kann es vielleicht.",
      adapter:
        "Die Aufträge hier brauchen einen Grafikprozessor (WebGPU). Dieser Browser hat keinen für sie: Es gibt keinen, sein Treiber ist zu alt, oder er ist in den Einstellungen abgeschaltet.",
      sandbox:
        "Die Aufträge hier brauchen einen Grafikprozessor (WebGPU), den dieser Browser den Sandboxes der Aufträge nicht gibt. Ein anderer Browser kann es vielleicht.",
    },
  },
  settings: {
    cores: (slots, cores) => `Prozessorkerne zum Verleihen: ${slots} von ${cores}`,
    cpu: (percent) => `Anteil jedes Kerns: höchstens ${percent}`,
    cpuHow:
      "Kerne ruhen zwischen Aufgaben. Eine begonnene Aufgabe wird nicht unterbrochen; ihr Kern ruht danach länger.",
    awake: "Diesen Computer wach halten, solange er rechnet",
    noAwake: "Dieser Browser kann den Computer hier nicht wach halten.",
    mains: "Nur am Stromnetz",
    noMains: "Dieser Browser sagt nicht, ob der Computer am Stromnetz hängt.",
    idle: "Nur solange niemand diesen Computer benutzt",
    noIdle: "Dieser Browser sagt hier nicht, ob jemand den Computer benutzt.",
    refusedIdle: "Der Browser durfte nicht sagen, ob jemand den Computer benutzt.",
    hours: "Nur in bestimmten Stunden der Woche",
    hoursHow: "Die Stunden anklicken oder überstreichen, in denen diese Seite rechnen darf.",
    hourOf: (day, hour) => `${day}, ${hour} bis ${hour + 1} Uhr`,
    name: "Name (für die Leute des Projekts zu sehen)",
    team: "Team",
    nameHow: "Beides ist freiwillig.",
    forget: "Alles vergessen",
    forgetHow:
      "Entfernt die Identität dieses Browsers, seine Daten, diese Einstellungen und den Verlauf. Nicht abgelieferte Ergebnisse gehen verloren.",
    forgotten: "Alles ist vergessen; die Seite wird neu geladen.",
  },
  pauseFor: "Pause für",
  hour: "eine Stunde",
  tomorrowButton: "bis morgen",
  work: "Arbeit",
  figures: {
    done: "Fertige Aufgaben",
    accepted: "Angenommen",
    checked: (count) => `${count} nachgerechnet`,
    queued: "In der Schlange",
    unsent: "Noch abzuliefern",
    failed: "Gescheitert",
    cpu: "Prozessor, letzte Minute",
    limit: (percent) => `von höchstens ${percent}`,
  },
  failedHow: "Das liegt am Programm, nicht an dir: Sein Besitzer erfährt davon.",
  core: (number) => `Kern ${number}`,
  idleCore: "frei",
  restingCore: (seconds) => `ruht ${seconds} s`,
  brokenCore: "die Sandbox konnte nicht starten",
  task: (index) => `Aufgabe ${index}`,
  bundle: (count) => `${count} kleine Aufgaben`,
  forWhom: (customer) => `für ${customer}`,
  signedBy: (name) => `, unterschrieben von ${name}`,
  left: (time) => `noch etwa ${time}`,
  since: (time) => `seit ${time}`,
  program: (size) => `Programm von ${size}`,
  programTitle: (hash) => `Das laufende Programm hat den SHA-256 ${hash}`,
  shownBy: (job) => `Gezeigt vom Programm von ${job}`,
  trail: {
    title: "Die letzten Aufgaben",
    computing: "wird gerechnet",
    finished: "fertig, unterwegs",
    delivered: "abgeliefert; das Ergebnis wird geprüft",
    accepted: "abgeliefert und angenommen",
    checked: "abgeliefert, von einem anderen Computer nachgerechnet, und richtig",
    withdrawn: "nicht angenommen: ein anderer Computer rechnet sie noch einmal",
    failed: (message) => `durch eigenen Fehler des Programms gescheitert: ${message}`,
  },
  history: {
    title: "Deine Hilfe bisher",
    today: "Heute",
    all: "Insgesamt",
    tasks: (count) => `${count} Aufgaben`,
    oneTask: "1 Aufgabe",
    cpu: (time) => `${time} Rechenzeit`,
    chart: (days) => `Rechenzeit am Tag in den letzten ${days} Tagen`,
    day: (day, time, tasks) => `${day}: ${time}, ${tasks}`,
    notKept: "Dieser Browser behält hier keine Daten: Der Verlauf endet mit dieser Seite.",
  },
  kiosk: {
    title: "Dieser Computer rechnet für",
    clients: "Computer machen mit",
    done: "Aufgaben fertig",
    open: "Aufgaben übrig",
    code: (address) => `QR-Code von ${address}`,
    join: "Mitmachen: diesen Code scannen oder öffnen:",
    leave: "Die Seite selbst zeigen",
    noProject:
      "Der Fortschritt des ganzen Projekts erscheint, wenn der Server eines nennt (manyhands server --project).",
  },
};
