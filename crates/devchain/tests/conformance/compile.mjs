// Compiles Probe.sol with the compiler in folder argv[2]; prints {abi, bytecode} as JSON.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const solc = createRequire(import.meta.url)(process.argv[2]);
const content = readFileSync(new URL('./Probe.sol', import.meta.url), 'utf8');
const input = {
  language: 'Solidity',
  sources: { 'Probe.sol': { content } },
  settings: {
    evmVersion: 'paris',
    optimizer: { enabled: true, runs: 1 },
    metadata: { bytecodeHash: 'none', appendCBOR: false },
    outputSelection: { '*': { Probe: ['abi', 'evm.bytecode.object'] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
const errors = (output.errors ?? []).filter((error) => error.severity === 'error');
if (errors.length > 0) throw new Error(errors.map((error) => error.formattedMessage).join('\n'));
const { abi, evm } = output.contracts['Probe.sol'].Probe;
process.stdout.write(JSON.stringify({ abi, bytecode: `0x${evm.bytecode.object}` }));
