const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < 22 || (major === 22 && minor < 18) || major === 23) {
  process.stderr.write(
    `manyhands needs Node 26, 24, or 22 from 22.18 on; this is ${process.version}. Install one of them (https://nodejs.org/en/download).\n`,
  );
  process.exit(2);
}
