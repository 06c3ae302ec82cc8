/** Texts of what loads after the first task, in English; they set the shape of other languages. */
export const more = {
  days: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
  today: "today",
  tomorrow: "tomorrow",
  at: (day: string, time: string) =>
    `${day === "today" || day === "tomorrow" ? day : `on ${day}`} at ${time}`,
  held: {
    until: (when: string) => `Paused until ${when}.`,
    forGood: "Paused until you press Resume.",
    schedule: (when: string) => `Outside the hours that you chose. Computes again ${when}.`,
    never: "The weekly hours are all off: choose some under Settings, or press Resume.",
    battery: "This computer runs on its battery. Computes again when it is plugged in.",
    busy: "This computer is in use. Computes again when nobody has used it for a minute.",
    finishing: "What was begun is finished first.",
  },
  reloading: "This page is about to load its newest version: it finishes first, and then goes on by itself.",
  resting: (percent: string, seconds: number) =>
    `Resting for ${seconds} s, to stay within ${percent} of the processor.`,
  idle: {
    none: "No work right now: nobody has a job here. This page waits, and starts by itself when there is one.",
    paused: (jobs: number) =>
      jobs === 1
        ? "Nothing to do: the only job here is paused by its owner. It goes on by itself."
        : `Nothing to do: ${jobs} jobs are paused by their owners. They go on by themselves.`,
    full: "Nothing to do: the storage of those who have jobs here is full, until they make room.",
    data: "Nothing to do: data of the jobs here is damaged, until their owners send it again.",
    taken: "All tasks of the jobs here are being computed by others. The next one comes by itself.",
    answered:
      "The jobs here want each task computed by different people, and this computer, or one in your network, has done its part. The next job comes by itself.",
    barred:
      "This computer failed at tasks at which others did not, and gets no more of these jobs. Reload the page, or try another browser.",
    tried:
      "A program failed on this computer, and others try it before it comes back here. The next task comes by itself.",
    credit:
      "Newcomers get few tasks at a time until some of their results were checked. The next one comes by itself.",
    needs: {
      node: "Jobs here need the program without a browser (manyhands client).",
      memory: "Jobs here need more memory than this browser gives to a core.",
      command: "Jobs here run a program that is installed on computers of the lab. No browser gets them.",
      trusted: "Jobs here are only for computers with an invitation of their administrator.",
      other: "Jobs here need what this computer does not have.",
    } as Readonly<Record<string, string>>,
    webgpu: {
      looking:
        "Jobs here need a graphics processor (WebGPU). This page is finding out whether it may use one.",
      insecure:
        "Jobs here need a graphics processor (WebGPU), which browsers give to pages on https:// and localhost only. This page has another address.",
      missing:
        "Jobs here need a graphics processor (WebGPU), which this browser does not give to pages. Another browser, or a newer version, may.",
      adapter:
        "Jobs here need a graphics processor (WebGPU). This browser has none for them: there is none, its driver is too old, or it is switched off in the settings.",
      sandbox:
        "Jobs here need a graphics processor (WebGPU), which this browser does not give to the sandboxes of jobs. Another browser may.",
    },
  },
  settings: {
    cores: (slots: number, cores: number) => `Processor cores to lend: ${slots} of ${cores}`,
    cpu: (percent: string) => `Share of each core: at most ${percent}`,
    cpuHow:
      "Cores rest between tasks. A task that has begun is not interrupted; its core rests longer afterwards.",
    awake: "Keep this computer awake while it computes",
    noAwake: "This browser cannot keep the computer awake here.",
    mains: "Only while plugged in",
    noMains: "This browser does not tell whether the computer is plugged in.",
    idle: "Only while nobody uses this computer",
    noIdle: "This browser does not tell here whether somebody uses the computer.",
    refusedIdle: "The browser was not allowed to tell whether somebody uses the computer.",
    hours: "Only in certain hours of the week",
    hoursHow: "Click or drag over the hours in which this page may compute.",
    hourOf: (day: string, hour: number) => `${day}, ${hour} to ${hour + 1} o'clock`,
    name: "Your name (shown to the people of this project)",
    team: "Your team",
    nameHow: "Both are optional.",
    forget: "Forget everything",
    forgetHow:
      "Removes this browser's identity, its cached data, these settings and the history. Results that were not delivered are lost.",
    forgotten: "Everything is forgotten; the page loads anew.",
  },
  pauseFor: "Pause for",
  hour: "an hour",
  tomorrowButton: "until tomorrow",
  work: "Work",
  figures: {
    done: "Tasks done",
    accepted: "Accepted",
    checked: (count: string) => `${count} checked`,
    queued: "In the queue",
    unsent: "Waiting for delivery",
    failed: "Failed",
    cpu: "Processor use, last minute",
    limit: (percent: string) => `of at most ${percent}`,
  },
  failedHow: "A failure is the program's, not yours: its owner is told.",
  core: (number: number) => `Core ${number}`,
  idleCore: "idle",
  restingCore: (seconds: number) => `rests ${seconds} s`,
  brokenCore: "the sandbox could not start",
  task: (index: string) => `task ${index}`,
  bundle: (count: string) => `${count} small tasks`,
  forWhom: (customer: string) => `for ${customer}`,
  signedBy: (name: string) => `, signed by ${name}`,
  left: (time: string) => `about ${time} left`,
  since: (time: string) => `for ${time}`,
  program: (size: string) => `program of ${size}`,
  programTitle: (hash: string) => `The program that runs has the SHA-256 ${hash}`,
  shownBy: (job: string) => `Shown by the program of ${job}`,
  trail: {
    title: "The last tasks",
    computing: "computing",
    finished: "finished, on its way",
    delivered: "delivered; the result is being checked",
    accepted: "delivered and accepted",
    checked: "delivered, computed again by another computer, and right",
    withdrawn: "not accepted: another computer computes it again",
    failed: (message: string) => `failed by the program's own fault: ${message}`,
  },
  history: {
    title: "Your help so far",
    today: "Today",
    all: "In all",
    tasks: (count: string) => `${count} tasks`,
    oneTask: "1 task",
    cpu: (time: string) => `${time} of processor time`,
    chart: (days: number) => `Processor time a day in the last ${days} days`,
    day: (day: string, time: string, tasks: string) => `${day}: ${time}, ${tasks}`,
    notKept: "This browser keeps no data here: the history ends with this page.",
  },
  kiosk: {
    title: "This computer computes for",
    clients: "computers take part",
    done: "tasks done",
    open: "tasks to go",
    code: (address: string) => `QR code of ${address}`,
    join: "Join in: scan this code, or open",
    leave: "Show the page itself",
    noProject:
      "The progress of the whole project is shown when the server names one (manyhands server --project).",
  },
};

export type MoreTexts = typeof more;
