/**
 * Topological polar surface areas by the contributions of P. Ertl, B. Rohde, P. Selzer, J. Med. Chem. 43 (2000) 3714, table 1, of nitrogen
 * and oxygen. OpenChemLib reads the SMILES and finds rings and aromatic bonds; its own sum counts sulphur and phosphorus as well.
 */
import { Molecule } from "openchemlib";

/** Å² by element, charge, hydrogens and bonds (`:` aromatic); in a ring of three atoms where a 3 follows. */
const contributions: Readonly<Record<string, number>> = {
  "N 0 #": 23.79,
  "N 1 =": 23.85,
  "N 2 -": 26.02,
  "N+ 2 =": 25.59,
  "N+ 3 -": 27.64,
  "N 0 -=": 12.36,
  "N 0 =#": 13.6,
  "N 1 -- 3": 21.94,
  "N 1 --": 12.03,
  "N+ 0 -#": 4.36,
  "N+ 1 -=": 13.97,
  "N+ 2 --": 16.61,
  "N 0 --- 3": 3.01,
  "N 0 ---": 3.24,
  "N 0 -==": 11.68,
  "N+ 0 --=": 3.01,
  "N+ 1 ---": 4.44,
  "N+ 0 ----": 0,
  "N 0 ::": 12.89,
  "N 0 :::": 4.41,
  "N 0 -::": 4.93,
  "N 0 =::": 8.39,
  "N 1 ::": 15.79,
  "N+ 0 :::": 4.1,
  "N+ 0 -::": 3.88,
  "N+ 1 ::": 14.14,
  "O 0 -- 3": 12.53,
  "O 0 --": 9.23,
  "O 0 =": 17.07,
  "O 1 -": 20.23,
  "O- 0 -": 23.06,
  "O 0 ::": 13.14,
};
const [nitrogen, oxygen] = [7, 8];

function contributionOf(molecule: Molecule, atom: number): number {
  const isNitrogen = molecule.getAtomicNo(atom) === nitrogen;
  const neighbours = molecule.getConnAtoms(atom);
  const bonds = Array.from({ length: neighbours }, (_, i) =>
    molecule.isAromaticBond(molecule.getConnBond(atom, i)) ? 4 : molecule.getConnBondOrder(atom, i),
  );
  const charge = { [-1]: "-", 0: "", 1: "+" }[molecule.getAtomCharge(atom)] ?? "?";
  const hydrogens = molecule.getAllHydrogens(atom);
  const drawn = bonds.toSorted((a, b) => a - b).map((order) => " -=#:"[order]);
  const kind = `${isNitrogen ? "N" : "O"}${charge} ${hydrogens} ${drawn.join("")}`;
  const inSmallRing = molecule.getAtomRingSize(atom) === 3 ? contributions[`${kind} 3`] : undefined;
  // Kinds that are not in the table have the paper's rule for them.
  const byRule = isNitrogen ? 30.5 - 8.2 * neighbours : 28.5 - 8.6 * neighbours;
  return inSmallRing ?? contributions[kind] ?? Math.max(0, byRule + 1.5 * hydrogens);
}

/** Polar surface areas of molecules, Å². */
export default function polarSurface(smiles: readonly string[]): Float64Array {
  return Float64Array.from(smiles, (text) => {
    const molecule = Molecule.fromSmiles(text, { noCoordinates: true, noStereo: true });
    molecule.ensureHelperArrays(Molecule.cHelperRings);
    let area = 0;
    for (let atom = 0; atom < molecule.getAllAtoms(); atom++)
      if ([nitrogen, oxygen].includes(molecule.getAtomicNo(atom))) area += contributionOf(molecule, atom);
    return area;
  });
}
