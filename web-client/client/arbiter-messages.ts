/**
 * Tab → arbiter. `rejoin`: join, by a tab that computes already (its arbiter died). `poke`: answer with `here`, and check that the
 * elected tab lives.
 */
export type ToArbiter = "join" | "rejoin" | "leave" | "poke" | "alive";
/** Arbiter → tab. `here` answers `poke`. */
export type FromArbiter = "elected" | "deposed" | "here" | "alive?";

/** BroadcastChannel on which a new arbiter makes itself known. */
export const arbiterChannel = "manyhands-arbiter";
