import type { Texts } from "../en/texts.ts";
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

/** Texts of the admin page in German. */
export const texts: Texts = {
  language: "de",
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
