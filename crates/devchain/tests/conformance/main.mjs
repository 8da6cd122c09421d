// Runs all checks against the node at argv[2]; prints {name: answer} as JSON.
// argv[3] is a JSON object: folders of ethers, viem and web3, and the compiled Probe. argv[4] is a
// part of the names of the checks to run.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { HEADERS, Rpc, STRANGERS } from './lib.mjs';

const only = process.argv[4] ?? '';
const [url, setup] = [process.argv[2], JSON.parse(process.argv[3])];
const require = createRequire(import.meta.url);
const CHECK_MS_MAX = 20_000;
const MNEMONIC = 'test test test test test test test test test test test junk';

async function context() {
  const ethers = require(setup.ethers);
  const viem = { ...require(setup.viem), accounts: require(`${setup.viem}/_cjs/accounts/index.js`) };
  viem.chains = require(`${setup.viem}/_cjs/chains/index.js`);
  const { Web3 } = require(setup.web3);
  const probe = JSON.parse(readFileSync(setup.probe, 'utf8'));
  const wallets = Array.from({ length: 10 }, (_, index) => {
    const path = `m/44'/60'/0'/0/${index}`;
    return ethers.HDNodeWallet.fromPhrase(MNEMONIC, undefined, path);
  });
  const request = new ethers.FetchRequest(url);
  for (const [name, value] of Object.entries(HEADERS)) request.setHeader(name, value);
  const options = { cacheTimeout: -1, pollingInterval: 50 };
  const provider = new ethers.JsonRpcProvider(request, undefined, options);
  const rpc = new Rpc(url);
  const iface = new ethers.Interface(probe.abi);
  const ws = url.replace('http', 'ws');
  const WebSocket = require(`${setup.ethers}/../ws`);
  const accounts = wallets.map((wallet) => wallet.address.toLowerCase());
  return { url, ws, WebSocket, rpc, ethers, viem, Web3, probe, wallets, accounts, provider, iface };
}

/** Deploys Probe, and mines a few transactions of every kind to look at. */
async function prepare(at) {
  const { rpc, accounts: [from, to], probe, iface } = at;
  const data = probe.bytecode + iface.encodeDeploy([7]).slice(2);
  const deployed = await rpc.mined('eth_sendTransaction', { from, data, gas: '0x400000' });
  at.address = deployed.contractAddress;
  at.deployed = deployed;
  at.call = (name, ...values) => iface.encodeFunctionData(name, values);
  const data_ = at.call('store', 8);
  at.stored = await rpc.mined('eth_sendTransaction', { from, to: at.address, data: data_, gas: '0x20000' });
  at.paid = await rpc.mined('eth_sendTransaction', { from, to, value: '0x5', gas: '0x5208' });
}

async function one(at, check) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), CHECK_MS_MAX);
  });
  try {
    return await Promise.race([check(at), late]);
  } catch (error) {
    return { threw: String(error.shortMessage ?? error.message).split('\n')[0] };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Nothing a check did is left for the next. What still waits is dropped before anything is mined
 * again: anvil mines a moment after it is told to, and that may be after the revert.
 */
async function clean({ rpc, address }, { id, height }) {
  for (const impersonated of [STRANGERS, address].flat()) {
    await rpc.try('anvil_stopImpersonatingAccount', impersonated);
  }
  await rpc.try('anvil_setIntervalMining', 0);
  await rpc.try('evm_setAutomine', false);
  await rpc.try('anvil_dropAllTransactions');
  await rpc.try('anvil_setNextBlockBaseFeePerGas', '0x0');
  await rpc.send('evm_revert', id);
  await rpc.try('evm_setAutomine', true);
  const found = await rpc.send('eth_blockNumber');
  if (found !== height) throw new Error(`block ${found} is left, not ${height}`);
}

async function snapshot({ rpc }) {
  return { height: await rpc.send('eth_blockNumber'), id: await rpc.send('evm_snapshot') };
}

/** What `check` says, on a chain that is left as it was. */
async function answer(at, check) {
  const before = await snapshot(at);
  const found = (await one(at, check)) ?? null;
  await clean(at, before);
  return found;
}

// What a library leaves behind when its connection is closed is no answer to any check.
process.on('unhandledRejection', () => {});

const files = ['wire', 'reads', 'calls', 'sends', 'errors', 'filters', 'live', 'dev', 'suites'];
const answers = {};
const at = await context();
await prepare(at);
for (const file of files) {
  const { checks } = await import(`./${file}.mjs`).catch((error) => {
    if (only && error.code === 'ERR_MODULE_NOT_FOUND') return { checks: {} };
    throw error;
  });
  for (const [name, check] of Object.entries(checks)) {
    if (only && !`${file}: ${name}`.includes(only)) continue;
    answers[`${file}: ${name}`] = await answer(at, check);
  }
}
const text = JSON.stringify(answers, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
process.stdout.write(text, () => process.exit(0));
