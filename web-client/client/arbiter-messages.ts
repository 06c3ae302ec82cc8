/** Tab → arbiter. `poke`: please look whether the elected tab still lives. */
export type ToArbiter = "join" | "leave" | "poke" | "alive";
/** Arbiter → tab. */
export type FromArbiter = "elected" | "deposed" | "alive?";
