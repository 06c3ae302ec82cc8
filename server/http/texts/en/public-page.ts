/** Texts of the public page in English; they set the shape of other languages. */
export const publicPage = {
  title: "Manyhands: progress",
  heading: "What these computers do together",
  moreAbout: "More about this project",
  computers: "Computers",
  slotsBusy: "Slots busy",
  of: (busy: string, slots: string) => `${busy} of ${slots}`,
  rate: "Results a second",
  tasksDone: "Tasks done",
  tasksWaiting: "Tasks waiting",
  help: "Help with this computer",
  noJob: "No job at present",
  oneJob: "1 job under way",
  jobs: (count: string) => `${count} jobs under way`,
  firstShown: (count: string) => `The first ${count} are shown.`,
  job: (number: string) => `Job ${number}`,
  ofCustomer: "of",
  progressOf: (job: string) => `Progress of ${job}`,
  done: (done: string, total: string) => `${done} of ${total} tasks done`,
  left: (time: string) => `, about ${time} left`,
  days: (days: number) => `${days} days`,
};

export type PublicPageTexts = typeof publicPage;
