// Verdicts of another verifier: arguments are its folder and a file with samples and cases.
// Writes an array: null for what is accepted, else why it is refused.
const { readFileSync } = require("fs");

const [folder, input] = process.argv.slice(2);
const { QuoteVerifier } = require(folder);
const { samples, cases } = JSON.parse(readFileSync(input));

function verifier(root) {
  return root === null
    ? QuoteVerifier.newProd()
    : QuoteVerifier.newWithRootCa(Buffer.from(root, "hex"));
}

function verdict({ sample, quote }) {
  const { root, collateral, now } = samples[sample];
  try {
    verifier(root).verify(Buffer.from(quote, "hex"), collateral, now);
    return null;
  } catch (error) {
    return String(error.message);
  }
}

process.stdout.write(JSON.stringify(cases.map(verdict)));
