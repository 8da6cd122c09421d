// Compiles src/**/*.sol with the pinned compiler and writes one artifact per deployed contract.
//
//   NODE_PATH=<folder with solc> node compile.mjs <output folder>
//
// Run by `cargo xtask contracts`. Artifacts depend on the sources alone: no paths, no dates.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "./input.mjs";

const output = process.argv[2];

const DEPLOYED = [
  "App",
  "AppRegistry",
  "Boost",
  "Dataset",
  "DatasetRegistry",
  "Hub",
  "HubExtension",
  "HubExtensionNative",
  "HubNative",
  "Rlc",
  "Workerpool",
  "WorkerpoolRegistry",
];
const EXTENSIONS = {
  Hub: ["HubExtension", "Boost"],
  HubNative: ["HubExtensionNative", "Boost"],
};
// EIP-170.
const CODE_BYTES_MAX = 24576;

function compiled() {
  const wanted = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"];
  const result = compile({ "*": { "*": wanted } });
  const problems = result.errors ?? [];
  for (const problem of problems) process.stderr.write(problem.formattedMessage + "\n");
  if (problems.length > 0) process.exit(1);
  const contracts = {};
  for (const file of Object.values(result.contracts)) Object.assign(contracts, file);
  return contracts;
}

const signature = (item) =>
  `${item.type} ${item.name ?? ""}(${(item.inputs ?? []).map((input) => JSON.stringify(input))})`;

// The extensions answer at the address of the hub, so clients see one interface.
function union(...abis) {
  const items = new Map(abis.flat().map((item) => [signature(item), item]));
  return [...items.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

function artifact(name, contracts) {
  const { abi, evm } = contracts[name];
  const bytes = evm.deployedBytecode.object.length / 2;
  if (bytes > CODE_BYTES_MAX) throw new Error(`${name} has ${bytes} bytes of ${CODE_BYTES_MAX}`);
  const extensions = EXTENSIONS[name] ?? [];
  const seen = union(abi, ...extensions.map((extension) => publicPart(contracts[extension].abi)));
  return {
    contractName: name,
    deployedBytes: bytes,
    abi: seen,
    bytecode: `0x${evm.bytecode.object}`,
  };
}

const publicPart = (abi) =>
  abi.filter((item) => ["function", "event", "error"].includes(item.type));

const contracts = compiled();
mkdirSync(output, { recursive: true });
for (const name of DEPLOYED) {
  const text = JSON.stringify(artifact(name, contracts), null, 1) + "\n";
  writeFileSync(join(output, `${name}.json`), text);
  process.stdout.write(`${name} ${contracts[name].evm.deployedBytecode.object.length / 2} bytes\n`);
}
