import { access } from "./access.ts";
import { clients } from "./clients.ts";
import { counts } from "./counts.ts";
import { frame } from "./frame.ts";
import { job } from "./job.ts";
import { jobs } from "./jobs.ts";
import { overview } from "./overview.ts";
import { stream } from "./stream.ts";
import { task } from "./task.ts";
import { ticks } from "./ticks.ts";

/** Texts of the admin page in English; they set the shape of other languages. Words between backticks are shown as code. */
export const texts = {
  language: "en",
  frame,
  counts,
  overview,
  stream,
  jobs,
  job,
  task,
  clients,
  access,
  ticks,
};

export type Texts = typeof texts;
