/** The version of this package, which both ends tell each other; a test compares it to package.json. */
export const version = "0.3.0";
