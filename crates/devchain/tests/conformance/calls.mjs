// Running code without a transaction.
import { hex, refusal, STRANGERS } from './lib.mjs';

const [STRANGER] = STRANGERS;
const word = (value) => `0x${BigInt(value).toString(16).padStart(64, '0')}`;

/** Calls a function of Probe; the answer decoded, or the refusal. */
async function ask(at, name, values = [], more = {}, ...rest) {
  const { rpc, iface, address, call } = at;
  try {
    const request = { to: address, data: call(name, ...values), ...more };
    const data = await rpc.send('eth_call', request, ...(rest.length ? rest : ['latest']));
    return iface.decodeFunctionResult(name, data).toArray().map(String);
  } catch (error) {
    if (error.code === undefined) throw error;
    return refusal(error);
  }
}

const gas = (at, name, values = [], more = {}) =>
  at.rpc.send('eth_estimateGas', { from: at.accounts[0], to: at.address, data: at.call(name, ...values), ...more });

/** Whether a transaction with the estimate, with one gas less, and with a third of it works. */
async function enough(at, request) {
  const { rpc } = at;
  const estimate = BigInt(await rpc.send('eth_estimateGas', request));
  const works = async (gas) => {
    const id = await rpc.send('evm_snapshot');
    const receipt = await rpc.mined('eth_sendTransaction', { ...request, gas: hex(gas) }).catch(() => null);
    await rpc.send('evm_revert', id);
    return receipt?.status === '0x1';
  };
  return { estimate: await works(estimate), third: await works(estimate / 3n) };
}

const estimates = (make) => async (at) => enough(at, { from: at.accounts[0], to: at.address, ...make(at) });

export const checks = {
  'a value': (at) => ask(at, 'value'),
  'by input instead of data': async ({ rpc, address, call }) =>
    rpc.try('eth_call', { to: address, input: call('value') }, 'latest'),
  'by input and data': async ({ rpc, address, call }) =>
    rpc.try('eth_call', { to: address, input: call('value'), data: call('value') }, 'latest'),
  'without a block': async ({ rpc, address, call }) => rpc.try('eth_call', { to: address, data: call('value') }),
  'in the past': async (at) => [
    await ask(at, 'value', [], {}, '0x1'), await ask(at, 'value', [], {}, '0x2'),
    await ask(at, 'value', [], {}, { blockHash: at.deployed.blockHash }),
    await at.rpc.try('eth_call', { to: at.address, data: at.call('value') }, '0x0'),
    await ask(at, 'value', [], {}, '0xffff'),
  ],
  'at every tag': (at) =>
    Promise.all(['latest', 'pending', 'safe', 'finalized'].map((tag) => ask(at, 'value', [], {}, tag))),
  'changes nothing': async (at) => {
    const before = await ask(at, 'store', [99], { from: at.accounts[0] });
    return [before, await ask(at, 'value')];
  },
  'of an account without code': ({ rpc }) => rpc.try('eth_call', { to: STRANGER, data: '0x12345678' }, 'latest'),
  'with value from somebody poor': (at) => ask(at, 'store', [1], { from: STRANGER, value: '0x1' }),
  'with value': (at) => ask(at, 'store', [1], { from: at.accounts[0], value: '0x1' }),
  'who calls': async (at) => {
    const [sender, origin, price] = await ask(at, 'caller', [], { from: at.accounts[3] });
    return [sender, origin, price];
  },
  'who calls by default': async (at) => (await ask(at, 'caller'))[0],
  'environment': async (at) => {
    const [number, , chain, fee, coinbase, limit] = await ask(at, 'environment', [], {}, 'pending');
    return [number, chain, fee, coinbase, limit];
  },
  'environment of the past': async (at) => {
    const [number, time, chain] = await ask(at, 'environment', [], {}, '0x2');
    const block = await at.rpc.send('eth_getBlockByNumber', '0x2', false);
    return [number, BigInt(time) === BigInt(block.timestamp), chain];
  },
  'block hashes': async (at) => {
    const { hash } = await at.rpc.send('eth_getBlockByNumber', '0x2', false);
    const [two] = await ask(at, 'hashOf', [2]);
    return [two === hash, await ask(at, 'hashOf', [50])];
  },
  'creation': async ({ rpc, probe, iface }) => {
    const code = await rpc.send('eth_call', { data: probe.bytecode + iface.encodeDeploy([7]).slice(2) }, 'latest');
    return code.length;
  },
  'precompiled contract': ({ rpc }) => rpc.try('eth_call', { to: `0x${'0'.repeat(39)}2`, data: '0x1234' }, 'latest'),
  'fails with a reason': (at) => ask(at, 'failWithReason'),
  'fails with an error': (at) => ask(at, 'failWithError', [11]),
  'fails with a panic': (at) => ask(at, 'failWithPanic', [0]),
  'fails out of bounds': (at) => ask(at, 'failInArray', [3]),
  'fails silently': (at) => ask(at, 'failSilently'),
  'burns all gas': (at) => ask(at, 'burn'),
  'with too little gas': (at) => ask(at, 'store', [1], { gas: '0x5300' }),
  'with less gas than any transaction needs': (at) => ask(at, 'value', [], { gas: '0x10' }),
  'with more gas than a block': async (at) => ask(at, 'value', [], { gas: '0xffffffffff' }),
  'with a price and no money': (at) => ask(at, 'value', [], { from: STRANGER, gasPrice: '0x1' }),
  'with a price': (at) => ask(at, 'value', [], { from: at.accounts[0], gasPrice: '0x5' }),
  'with two kinds of price': (at) => ask(at, 'value', [], { gasPrice: '0x5', maxFeePerGas: '0x5' }),
  'with a tip above the fee': (at) =>
    ask(at, 'value', [], { from: at.accounts[0], maxFeePerGas: '0x1', maxPriorityFeePerGas: '0x2' }),
  'override of a balance': async (at) => {
    const [, , , balance] = await ask(at, 'caller', [], { from: STRANGER }, 'latest', { [STRANGER]: { balance: '0x77' } });
    return balance;
  },
  'override pays for a call': (at) =>
    ask(at, 'store', [1], { from: STRANGER, value: '0x1' }, 'latest', { [STRANGER]: { balance: '0x77' } }),
  'override of a slot': (at) =>
    ask(at, 'value', [], {}, 'latest', { [at.address]: { stateDiff: { [word(0)]: word(55) } } }),
  'override of all storage': async (at) => {
    const only = { [at.address]: { state: { [word(9)]: word(55) } } };
    return ask(at, 'value', [], {}, 'latest', only);
  },
  'override of code': async ({ rpc }) =>
    rpc.try('eth_call', { to: STRANGER, data: '0x' }, 'latest', { [STRANGER]: { code: '0x602a60005260206000f3' } }),
  'override of a nonce': async ({ rpc, accounts: [from], probe, iface }) => {
    const request = { from, data: probe.bytecode + iface.encodeDeploy([7]).slice(2) };
    return (await rpc.send('eth_call', request, 'latest', { [from]: { nonce: '0x9' } })).length;
  },
  'overrides of nothing': (at) => ask(at, 'value', [], {}, 'latest', {}),
  'both kinds of storage override': (at) =>
    ask(at, 'value', [], {}, 'latest', { [at.address]: { state: {}, stateDiff: {} } }),
  'override of malformed code': ({ rpc }) =>
    rpc.try('eth_call', { to: STRANGER }, 'latest', { [STRANGER]: { code: 'x' } }),
  'override of the block': async (at) => {
    const block = { number: '0x99', time: '0x123456', gasLimit: '0x1c9c380', coinbase: STRANGER, baseFee: '0x0' };
    return ask(at, 'environment', [], {}, 'latest', {}, block);
  },
  'override in an estimate': async (at) => {
    const request = { from: STRANGER, to: at.address, value: '0x5', data: at.call('store', 3) };
    const override = { [STRANGER]: { balance: '0xffffffffffffffff' } };
    const estimate = await at.rpc.send('eth_estimateGas', request, 'latest', override);
    return BigInt(estimate) > 21000n;
  },
  'estimate of a payment': async ({ rpc, accounts: [from, to] }) => rpc.send('eth_estimateGas', { from, to, value: '0x1' }),
  'estimate suffices: store': estimates(({ call }) => ({ data: call('store', 77) })),
  'estimate suffices: fill': estimates(({ call }) => ({ data: call('fill', 0, 20) })),
  'estimate suffices: inner call': estimates(({ call }) => ({ data: call('inner', 5) })),
  'estimate suffices: clear': async (at) => {
    await at.rpc.mined('eth_sendTransaction', { from: at.accounts[0], to: at.address, data: at.call('fill', 0, 20), gas: '0x200000' });
    return enough(at, { from: at.accounts[0], to: at.address, data: at.call('clear', 0, 20) });
  },
  'estimate suffices: creation': async (at) =>
    enough(at, { from: at.accounts[0], data: at.probe.bytecode + at.iface.encodeDeploy([7]).slice(2) }),
  'estimate suffices: creation by a contract': estimates(({ call }) => ({ data: call('create', word(1)) })),
  'estimate is not wasteful': async (at) => {
    const used = BigInt((await at.rpc.mined('eth_sendTransaction',
      { from: at.accounts[0], to: at.address, data: at.call('fill', 0, 20), gas: '0x200000' })).gasUsed);
    const estimate = BigInt(await gas(at, 'fill', [100, 20]));
    return estimate >= used && estimate < (used * 11n) / 10n;
  },
  'estimate reports the reason': async (at) => {
    const request = (name, ...values) => ({ from: at.accounts[0], to: at.address, data: at.call(name, ...values) });
    return Promise.all([
      at.rpc.try('eth_estimateGas', request('failWithReason')),
      at.rpc.try('eth_estimateGas', request('failWithError', 12)),
      at.rpc.try('eth_estimateGas', request('failWithPanic', 0)),
    ]);
  },
  'estimate of what the sender cannot pay': ({ rpc, accounts: [, to] }) =>
    rpc.try('eth_estimateGas', { from: STRANGER, to, value: '0x1' }),
  'estimate at a block': async (at) =>
    at.rpc.try('eth_estimateGas', { from: at.accounts[0], to: at.accounts[1], value: '0x1' }, '0x1'),
  'access list': async (at) => {
    const request = { from: at.accounts[0], to: at.address, data: at.call('store', 5) };
    const { accessList } = await at.rpc.send('eth_createAccessList', request, 'latest');
    return accessList;
  },
  'access list of an inner call': async (at) => {
    const request = { from: at.accounts[0], to: at.address, data: at.call('inner', 5) };
    const { accessList } = await at.rpc.send('eth_createAccessList', request, 'latest');
    return accessList;
  },
};
