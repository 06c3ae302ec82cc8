/** The version of this package, as both ends tell each other; a test holds it to package.json. */
export const version = "0.1.0";
