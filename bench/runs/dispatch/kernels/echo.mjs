// The task of pools that load a file: the identity.
export default (input) => input;
