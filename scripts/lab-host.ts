/** A name that the test browsers resolve to this machine and that is no secure context, as a lab's server under plain HTTP. */
export const labHost = "lab.test";
