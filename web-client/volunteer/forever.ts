/** The latest time that a Date can have. */
export const forever = 8.64e15;
