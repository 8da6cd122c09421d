#!/usr/bin/env node
// The pinned compiler as an analyser expects to find it: a program that answers `--version` and
// `--standard-json`. Whatever input it is sent, it compiles src/ with the project's settings, and
// answers with syntax trees: nobody analyses bytecode, so none is made.
import { compile, solc } from "./input.mjs";

const NO_CODE = { object: "", sourceMap: "" };

function analysed() {
  const result = compile({ "*": { "*": ["abi"], "": ["ast"] } });
  for (const file of Object.values(result.contracts ?? {})) {
    for (const contract of Object.values(file)) {
      contract.evm = { bytecode: NO_CODE, deployedBytecode: NO_CODE };
    }
  }
  return result;
}

process.stdout.write(
  process.argv.includes("--version") ? `Version: ${solc.version()}\n` : JSON.stringify(analysed()),
);
