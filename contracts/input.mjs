// What the compiler is given: every source below src/ and the project's settings.
import { createRequire } from "node:module";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The compiler of package-lock.json, where `cargo xtask` has put it. */
export const solc = createRequire(join(process.env.SOLC_HOME, "package.json"))("solc");

const root = join(dirname(fileURLToPath(import.meta.url)), "src");

const settings = {
  viaIR: true,
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "paris",
  metadata: { bytecodeHash: "none", appendCBOR: false },
};

function sources() {
  const names = readdirSync(root, { recursive: true }).filter((name) => name.endsWith(".sol"));
  return Object.fromEntries(
    names.sort().map((name) => [name, { content: readFileSync(join(root, name), "utf8") }]),
  );
}

/** Compiles everything, and asks for these outputs. */
export function compile(outputSelection) {
  const input = {
    language: "Solidity",
    sources: sources(),
    settings: { ...settings, outputSelection },
  };
  return JSON.parse(solc.compile(JSON.stringify(input)));
}
