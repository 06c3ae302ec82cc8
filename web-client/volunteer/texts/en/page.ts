/** Texts of the volunteer page's first screen and of its one sentence, in English; they set the shape of other languages. */
export const page = {
  language: "en" as string,
  headlines: {
    ready: "Lend this computer to science",
    working: "This computer is lending a hand",
    paused: "This computer takes a break",
    hindered: "This computer cannot help yet",
    stopped: "Thank you for your help",
  },
  lead: "Press the button and this computer helps scientists compute, for as long as this page stays open.",
  moreAbout: "More about this project",
  buttons: {
    start: "Start computing",
    again: "Start again",
    retry: "Try again",
    noWait: "Do not wait",
    stop: "Stop now",
    pause: "Pause",
    resume: "Resume",
    finish: "Finish and stop",
    settings: "Settings",
  },
  about: "What happens here",
  aboutWork:
    "Scientists split a long computation into many small tasks; this page fetches some, computes them in the background, and sends the results back, while you go on using this computer.",
  aboutSafety:
    "The programs run in a sandbox of your browser: they cannot see your files, your other pages or your network, and closing this page ends them at once.",
  ready: "Nothing runs yet.",
  starting: "Starting…",
  otherTab: "Another tab of this browser is computing already; this one takes over when that tab closes.",
  stopped: "Stopped.",
  thanks: "Stopped. Everything is delivered; thank you!",
  broken: (message: string) => `This page failed: ${message}. Reload it to try again.`,
  connecting: "Connecting to the server…",
  waiting: (reason: string, seconds: number) => `Not connected (${reason}); trying again in ${seconds} s.`,
  goesOn: "What was begun goes on.",
  pausing: "Pausing: what was begun is finished first.",
  paused: "Paused until you press Resume.",
  computing: (names: string) => `Computing for ${names}.`,
  somebody: "somebody",
  and: "and",
  further: (count: number) => `and ${count} more`,
  brokenSandbox: (reason: string, seconds: number) =>
    `The sandbox could not start (${reason}); trying again in ${seconds} s.`,
  fetching: "Fetching the next task…",
  noWork: "No work right now; this page waits, and starts by itself when there is some.",
  finishing: "Finishing the tasks that run, then stopping.",
  delivering: "Delivering the last results, then stopping.",
  stopping: "Stopping…",
};

export type PageTexts = typeof page;
