/** Colours of jobs, which people with any colour vision tell apart (after Okabe and Ito 2008), without red: that is for failures. */
export const jobColours = [
  "#3584e4",
  "#2a9d6f",
  "#d9a520",
  "#9b6ad6",
  "#4fb3d9",
  "#b07d4f",
  "#7d8f2f",
  "#c46fa0",
] as const;
export const failedColour = "#d6372c";
export const quietColour = "#8a94a1";
