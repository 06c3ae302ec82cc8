import type { Scenario } from "./trust-world.ts";

const base: Scenario = {
  name: "",
  tasks: 100_000,
  taskSeconds: 2,
  tabs: 100,
  trustedShare: 0.2,
  cheats: 0.01,
  lieRate: 0.1,
  cohorts: 10,
  comesBack: true,
};

/** What a scenario is named after is what differs from the first one. */
export const scenarios: readonly Scenario[] = [
  { ...base, name: "nobody cheats", cheats: 0 },
  { ...base, name: "1 % cheat, q = 1, addresses of their own", lieRate: 1, cheatCohorts: 1 },
  { ...base, name: "1 % cheat, q = 0.1, addresses of their own", cheatCohorts: 1 },
  { ...base, name: "1 % cheat, q = 0.02, addresses of their own", lieRate: 0.02, cheatCohorts: 1 },
  { ...base, name: "the same, 600,000 tasks", tasks: 600_000, lieRate: 0.02, cheatCohorts: 1 },
  { ...base, name: "1 % cheat, q = 0.02, among honest tabs of their address", lieRate: 0.02 },
  { ...base, name: "1 % cheat, q = 1, among honest tabs", lieRate: 1 },
  { ...base, name: "1 % cheat, q = 0.01, among honest tabs", lieRate: 0.01 },
  { ...base, name: "one lie a session (q = 0.005), 1 % cheat", lieRate: 0.005, cheatCohorts: 1 },
  { ...base, name: "0.01 % cheat, q = 0.1", cheats: 0.0001 },
  { ...base, name: "10 % cheat, q = 0.1, ten addresses of their own", cheats: 0.1, cheatCohorts: 10 },
  {
    ...base,
    name: "20 % cheat, q = 1, ten addresses of their own",
    cheats: 0.2,
    lieRate: 1,
    cheatCohorts: 10,
  },
  { ...base, name: "20 % cheat, q = 0.1, among honest tabs", cheats: 0.2 },
  {
    ...base,
    name: "2 % of machines faulty, 1 result in 1,000 wrong",
    cheats: 0,
    faulty: 0.02,
    faultRate: 0.001,
  },
  { ...base, name: "every tab an address of its own", cohorts: 1_000_000 },
  { ...base, name: "one address for all", cohorts: 1 },
  { ...base, name: "long tasks: 60 s, 7 a session", tasks: 20_000, taskSeconds: 60 },
  { ...base, name: "short tasks: 0.5 s", taskSeconds: 0.5 },
  { ...base, name: "trusted slots: 10 % of the tabs", trustedShare: 0.1 },
  { ...base, name: "the server's auditor alone", tasks: 20_000, tabs: 20, trustedShare: 0 },
];
