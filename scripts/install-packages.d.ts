/**
 * Runs `npm ci` in a folder whose packages are not those of its lockfile. npm's output goes to standard error.
 * @returns whether the packages are there
 */
export function installPackages(folder: string): boolean;
