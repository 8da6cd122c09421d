// What test suites do to a node: time, snapshots, accounts, mining, the pool.
import { hex, refusal, shape, sleep, until, STRANGERS } from './lib.mjs';

const [STRANGER] = STRANGERS;
const word = (value) => `0x${BigInt(value).toString(16).padStart(64, '0')}`;
const head = ({ rpc }) => rpc.send('eth_getBlockByNumber', 'latest', false);
const time = async (at) => Number((await head(at)).timestamp);
const height = async ({ rpc }) => Number(await rpc.send('eth_blockNumber'));
const balance = ({ rpc }, who, tag = 'latest') => rpc.send('eth_getBalance', who, tag);
const form = (value) => (value === null ? null : typeof value);

/** A payment that waits, of account `index`. */
const pay = ({ rpc, accounts }, more = {}, index = 2) =>
  rpc.send('eth_sendTransaction', { from: accounts[index], to: STRANGER, value: '0x1', gas: '0x5208', ...more });

/** The same act by each of several names; answers and effect. */
const named = (names, act) => async (at) => {
  const all = [];
  for (const name of names) all.push(await act(at, name));
  return all;
};

const by_hand = (act) => async (at) => {
  await at.rpc.send('evm_setAutomine', false);
  return act(at);
};

export const checks = {
  'mine': named(['evm_mine'], async (at, name) => {
    const before = await height(at);
    const answer = await at.rpc.send(name);
    return [answer, (await height(at)) - before];
  }),
  'mine at a time': async (at) => {
    const now = await time(at);
    await at.rpc.send('evm_mine', now + 100);
    const first = await time(at);
    await at.rpc.send('evm_mine', { timestamp: now + 200 });
    return [first - now, (await time(at)) - now];
  },
  'mine in the past': async (at) => 'code' in ((await at.rpc.try('evm_mine', (await time(at)) - 100)) ?? {}),
  'mine many': named(['anvil_mine', 'hardhat_mine'], async (at, name) => {
    const before = await height(at);
    const answers = [await at.rpc.send(name, '0x5'), await at.rpc.send(name), await at.rpc.send(name, hex(2), '0x0')];
    return [answers, (await height(at)) - before];
  }),
  'mine many, spaced': async (at) => {
    const before = await height(at);
    await at.rpc.send('anvil_mine', '0x4', '0x3c');
    const times = await Promise.all([1, 2, 3, 4].map(async (step) =>
      Number((await at.rpc.send('eth_getBlockByNumber', hex(before + step), false)).timestamp)));
    return times.slice(1).map((at_, index) => at_ - times[index]);
  },
  'mine none': async (at) => {
    const before = await height(at);
    await at.rpc.try('anvil_mine', '0x0');
    return (await height(at)) - before;
  },
  'next timestamp': named(['evm_setNextBlockTimestamp', 'anvil_setNextBlockTimestamp'], async (at, name) => {
    const wanted = (await time(at)) + 500;
    const answer = await at.rpc.send(name, wanted);
    await at.rpc.send('evm_mine');
    return [answer, (await time(at)) - wanted];
  }),
  'next timestamp as hex': async (at) => {
    const wanted = (await time(at)) + 500;
    await at.rpc.send('evm_setNextBlockTimestamp', hex(wanted));
    await at.rpc.send('evm_mine');
    return (await time(at)) - wanted;
  },
  'next timestamp in the past': async (at) => 'code' in ((await at.rpc.try('evm_setNextBlockTimestamp', (await time(at)) - 100)) ?? {}),
  'next timestamp of a transaction': async (at) => {
    const wanted = (await time(at)) + 500;
    await at.rpc.send('evm_setNextBlockTimestamp', wanted);
    await at.rpc.mined('eth_sendTransaction', { from: at.accounts[0], to: STRANGER, gas: '0x5208' });
    return (await time(at)) - wanted;
  },
  'time runs on after the next timestamp': async (at) => {
    const wanted = (await time(at)) + 5000;
    await at.rpc.send('evm_setNextBlockTimestamp', wanted);
    await at.rpc.send('anvil_mine', '0x2');
    const more = (await time(at)) - wanted;
    return more >= 0 && more < 60;
  },
  'increase time': named(['evm_increaseTime', 'anvil_increaseTime'], async (at, name) => {
    const before = await time(at);
    const answer = await at.rpc.send(name, 1000);
    await at.rpc.send('evm_mine');
    const passed = (await time(at)) - before;
    return [form(answer), passed >= 1000 && passed < 1060];
  }),
  'increase time as hex': async (at) => {
    const before = await time(at);
    await at.rpc.send('evm_increaseTime', '0x3e8');
    await at.rpc.send('evm_mine');
    const passed = (await time(at)) - before;
    return passed >= 1000 && passed < 1060;
  },
  'calls see the time that would be mined': async (at) => {
    await at.rpc.send('evm_increaseTime', 1000);
    const answer = await at.rpc.send('eth_call', { to: at.address, data: at.call('environment') }, 'pending');
    const [, now] = at.iface.decodeFunctionResult('environment', answer);
    return Number(now) >= (await time(at)) + 1000;
  },
  'set time': async (at) => {
    const wanted = (await time(at)) + 10_000;
    const answer = await at.rpc.send('evm_setTime', wanted);
    await at.rpc.send('evm_mine');
    const passed = (await time(at)) - wanted;
    return [form(answer), passed >= 0 && passed < 60];
  },
  'spaced blocks': async (at) => {
    const answer = await at.rpc.send('anvil_setBlockTimestampInterval', 30);
    const before = await time(at);
    await at.rpc.send('anvil_mine', '0x3');
    const passed = (await time(at)) - before;
    return [answer, passed, await at.rpc.send('anvil_removeBlockTimestampInterval'),
      await at.rpc.send('anvil_removeBlockTimestampInterval')];
  },
  'snapshot and revert': named(['evm', 'anvil'], async (at, name) => {
    const before = [await height(at), await balance(at, STRANGER)];
    const id = await at.rpc.send(`${name}_snapshot`);
    await at.rpc.mined('eth_sendTransaction', { from: at.accounts[0], to: STRANGER, value: '0x9', gas: '0x5208' });
    const answer = await at.rpc.send(`${name}_revert`, id);
    const after = [await height(at), await balance(at, STRANGER)];
    return [form(id), answer, String(before) === String(after)];
  }),
  'nested snapshots': async (at) => {
    const before = await height(at);
    const outer = await at.rpc.send('evm_snapshot');
    await at.rpc.send('evm_mine');
    const inner = await at.rpc.send('evm_snapshot');
    await at.rpc.send('evm_mine');
    const heights = [await height(at)];
    const answers = [await at.rpc.send('evm_revert', inner)];
    heights.push(await height(at));
    answers.push(await at.rpc.send('evm_revert', outer));
    heights.push(await height(at));
    return [answers, heights.map((number) => number - before), await at.rpc.try('evm_revert', inner)];
  },
  'a snapshot is used up': async ({ rpc }) => {
    const id = await rpc.send('evm_snapshot');
    return [await rpc.send('evm_revert', id), await rpc.try('evm_revert', id)];
  },
  'no such snapshot': async ({ rpc }) => [await rpc.try('evm_revert', '0xffff')],
  'a revert forgets transactions': async (at) => {
    const id = await at.rpc.send('evm_snapshot');
    const { transactionHash } = await at.rpc.mined('eth_sendTransaction', { from: at.accounts[0], to: STRANGER, gas: '0x5208' });
    await at.rpc.send('evm_revert', id);
    return [await at.rpc.send('eth_getTransactionByHash', transactionHash),
      await at.rpc.send('eth_getTransactionReceipt', transactionHash)];
  },
  'a revert brings nonces back': async (at) => {
    const nonce = () => at.rpc.send('eth_getTransactionCount', at.accounts[0], 'latest');
    const before = await nonce();
    const id = await at.rpc.send('evm_snapshot');
    await at.rpc.mined('eth_sendTransaction', { from: at.accounts[0], to: STRANGER, gas: '0x5208' });
    await at.rpc.send('evm_revert', id);
    return (await nonce()) === before;
  },
  'set balance': named(['anvil_setBalance', 'hardhat_setBalance'], async (at, name) =>
    [await at.rpc.send(name, STRANGER, '0x1234'), await balance(at, STRANGER)]),
  'add balance': async (at) => [await at.rpc.send('anvil_addBalance', at.accounts[3], '0x5'), await balance(at, at.accounts[3])],
  'set nonce': named(['anvil_setNonce', 'hardhat_setNonce'], async (at, name) =>
    [await at.rpc.send(name, at.accounts[3], '0x7'), await at.rpc.send('eth_getTransactionCount', at.accounts[3], 'latest')]),
  'send after setting a nonce': async (at) => {
    await at.rpc.send('anvil_setNonce', at.accounts[3], '0x7');
    const { transactionHash } = await at.rpc.mined('eth_sendTransaction', { from: at.accounts[3], to: STRANGER, gas: '0x5208' });
    return (await at.rpc.send('eth_getTransactionByHash', transactionHash)).nonce;
  },
  'set code': named(['anvil_setCode', 'hardhat_setCode'], async (at, name) => [
    await at.rpc.send(name, STRANGER, '0x602a60005260206000f3'),
    await at.rpc.send('eth_getCode', STRANGER, 'latest'),
    await at.rpc.send('eth_call', { to: STRANGER }, 'latest'),
  ]),
  'set no code': async (at) => {
    await at.rpc.send('anvil_setCode', at.address, '0x');
    return [await at.rpc.send('eth_getCode', at.address, 'latest'), await at.rpc.send('eth_call', { to: at.address, data: at.call('value') }, 'latest')];
  },
  'set storage': named(['anvil_setStorageAt', 'hardhat_setStorageAt'], async (at, name) => [
    await at.rpc.send(name, at.address, '0x0', word(99)),
    await at.rpc.send('eth_getStorageAt', at.address, '0x0', 'latest'),
    await at.rpc.send('eth_call', { to: at.address, data: at.call('value') }, 'latest'),
  ]),
  'changes by hand are in the next block': async (at) => {
    await at.rpc.send('anvil_setBalance', STRANGER, '0x77');
    await at.rpc.send('anvil_setStorageAt', at.address, '0x0', word(99));
    await at.rpc.send('anvil_mine', '0x3');
    return [await balance(at, STRANGER), await at.rpc.send('eth_getStorageAt', at.address, '0x0', 'latest')];
  },
  'automine is on': async ({ rpc }) => [await rpc.send('anvil_getAutomine'), await rpc.try('hardhat_getAutomine')],
  'automine off': async (at) => {
    const answer = await at.rpc.send('evm_setAutomine', false);
    const before = await height(at);
    const hash = await pay(at);
    const waiting = [await at.rpc.send('anvil_getAutomine'), (await height(at)) - before,
      await at.rpc.send('eth_getTransactionReceipt', hash), shape(await at.rpc.send('eth_getTransactionByHash', hash)).blockNumber];
    await at.rpc.send('evm_mine');
    return [answer, waiting, (await at.rpc.send('eth_getTransactionReceipt', hash)).status, (await height(at)) - before];
  },
  'automine off, several in a block': by_hand(async (at) => {
    const hashes = [await pay(at), await pay(at), await pay(at, {}, 3)];
    await at.rpc.send('evm_mine');
    const receipts = await Promise.all(hashes.map((hash) => at.rpc.send('eth_getTransactionReceipt', hash)));
    return receipts.map(({ transactionIndex, cumulativeGasUsed, gasUsed }) => [transactionIndex, cumulativeGasUsed, gasUsed]);
  }),
  'automine off, dearest first': by_hand(async (at) => {
    const price = (fee) => ({ maxFeePerGas: hex(fee), maxPriorityFeePerGas: hex(fee) });
    const hashes = [await pay(at, price(1), 2), await pay(at, price(9), 3), await pay(at, price(5), 4)];
    await at.rpc.send('evm_mine');
    const receipts = await Promise.all(hashes.map((hash) => at.rpc.send('eth_getTransactionReceipt', hash)));
    return receipts.map(({ transactionIndex }) => transactionIndex);
  }),
  'automine off, pending nonce': by_hand(async (at) => {
    await pay(at);
    await pay(at);
    const count = (tag) => at.rpc.send('eth_getTransactionCount', at.accounts[2], tag);
    return [await count('latest'), await count('pending')];
  }),
  'automine off, pending balance': by_hand(async (at) => {
    await pay(at, { value: '0x55' });
    return [await balance(at, STRANGER), await balance(at, STRANGER, 'pending')];
  }),
  'automine off, pending block': by_hand(async (at) => {
    const hash = await pay(at);
    const block = await at.rpc.send('eth_getBlockByNumber', 'pending', true);
    const before = await height(at);
    return [Number(block.number) - before, block.transactions.map((found) => found.hash === hash), block.gasUsed,
      await at.rpc.send('eth_getBlockTransactionCountByNumber', 'pending')];
  }),
  'automine off, pending call': by_hand(async (at) => {
    await at.rpc.send('eth_sendTransaction', { from: at.accounts[0], to: at.address, data: at.call('store', 321), gas: '0x20000' });
    const value = (tag) => at.rpc.send('eth_call', { to: at.address, data: at.call('value') }, tag);
    return [await value('latest'), await value('pending')];
  }),
  'automine off, replaced': by_hand(async (at) => {
    const nonce = await at.rpc.send('eth_getTransactionCount', at.accounts[2], 'latest');
    const old = await pay(at, { nonce, maxFeePerGas: '0x64', maxPriorityFeePerGas: '0x64' });
    const dear = await pay(at, { nonce, value: '0x2', maxFeePerGas: '0xc8', maxPriorityFeePerGas: '0xc8' });
    await at.rpc.send('evm_mine');
    return [await at.rpc.send('eth_getTransactionReceipt', old), (await at.rpc.send('eth_getTransactionReceipt', dear)).status];
  }),
  'automine off, underpriced': by_hand(async (at) => {
    const nonce = await at.rpc.send('eth_getTransactionCount', at.accounts[2], 'latest');
    await pay(at, { nonce, maxFeePerGas: '0x64', maxPriorityFeePerGas: '0x64' });
    return at.rpc.try('eth_sendTransaction', { from: at.accounts[2], to: STRANGER, nonce, gas: '0x5208', maxFeePerGas: '0x65', maxPriorityFeePerGas: '0x65' });
  }),
  'automine off, a gap': by_hand(async (at) => {
    const nonce = Number(await at.rpc.send('eth_getTransactionCount', at.accounts[6], 'latest'));
    const late = await pay(at, { nonce: hex(nonce + 1) }, 6);
    await at.rpc.send('evm_mine');
    const waiting = await at.rpc.send('eth_getTransactionReceipt', late);
    await pay(at, { nonce: hex(nonce) }, 6);
    await at.rpc.send('evm_mine');
    return [waiting, (await at.rpc.send('eth_getTransactionReceipt', late)).status];
  }),
  'automine off, no money': by_hand((at) => pay(at, { value: hex(10n ** 30n) }).then(() => 'taken', refusal)),
  'automine on again': by_hand(async (at) => {
    const hash = await pay(at);
    await at.rpc.send('evm_setAutomine', true);
    await at.rpc.mined('eth_sendTransaction', { from: at.accounts[3], to: STRANGER, gas: '0x5208' });
    return (await until(() => at.rpc.send('eth_getTransactionReceipt', hash))).status;
  }),
  'interval mining': async (at) => {
    const before = await height(at);
    const answer = await at.rpc.send('evm_setIntervalMining', 1);
    const [interval, automine] = [await at.rpc.send('anvil_getIntervalMining'), await at.rpc.send('anvil_getAutomine')];
    const hash = await pay(at);
    const receipt = await until(() => at.rpc.send('eth_getTransactionReceipt', hash));
    await until(async () => (await height(at)) > before + 1);
    await at.rpc.send('evm_setIntervalMining', 0);
    return [answer, interval, automine, receipt.status, await at.rpc.send('anvil_getIntervalMining')];
  },
  'no interval': ({ rpc }) => rpc.try('anvil_getIntervalMining'),
  'pool status': by_hand(async (at) => {
    await pay(at);
    await pay(at, {}, 3);
    await pay(at, { nonce: '0x30' }, 4);
    return at.rpc.send('txpool_status');
  }),
  'pool content': by_hand(async (at) => {
    await pay(at);
    await pay(at, { nonce: '0x30' }, 4);
    const { pending, queued } = await at.rpc.send('txpool_content');
    const keys = (side) => Object.entries(side).map(([who, by_nonce]) => [who.toLowerCase(), Object.keys(by_nonce)]);
    const [first] = Object.values(Object.values(pending)[0]);
    return [keys(pending), keys(queued), first.value, first.blockHash];
  }),
  'pool inspection': by_hand(async (at) => {
    await pay(at);
    const { pending } = await at.rpc.send('txpool_inspect');
    return Object.values(Object.values(pending)[0])[0].toLowerCase();
  }),
  'an empty pool': ({ rpc }) => rpc.send('txpool_content'),
  'drop a transaction': by_hand(async (at) => {
    const [first, second] = [await pay(at), await pay(at, {}, 3)];
    const answer = await at.rpc.send('anvil_dropTransaction', first);
    await at.rpc.send('evm_mine');
    return [answer === first, await at.rpc.send('eth_getTransactionByHash', first),
      (await at.rpc.send('eth_getTransactionReceipt', second)).status, await at.rpc.try('anvil_dropTransaction', word(1))];
  }),
  'drop all transactions': by_hand(async (at) => {
    await pay(at);
    await at.rpc.send('anvil_dropAllTransactions');
    return at.rpc.send('txpool_status');
  }),
  'drop those of a sender': by_hand(async (at) => {
    await pay(at);
    await pay(at, {}, 3);
    await at.rpc.send('anvil_removePoolTransactions', at.accounts[2]);
    return at.rpc.send('txpool_status');
  }),
  'coinbase': named(['anvil_setCoinbase', 'hardhat_setCoinbase'], async (at, name) => {
    const answer = await at.rpc.send(name, STRANGER);
    await at.rpc.send('evm_mine');
    return [answer, (await head(at)).miner, await at.rpc.send('eth_coinbase')];
  }),
  'base fee of the next block': named(['anvil_setNextBlockBaseFeePerGas', 'hardhat_setNextBlockBaseFeePerGas'], async (at, name) => {
    const answer = await at.rpc.send(name, '0x3b9aca00');
    await at.rpc.send('evm_mine');
    return [answer, (await head(at)).baseFeePerGas];
  }),
  'base fee is paid': async (at) => {
    await at.rpc.send('anvil_setNextBlockBaseFeePerGas', '0x3b9aca00');
    const more = { maxFeePerGas: '0x77359400', maxPriorityFeePerGas: '0x1' };
    const { effectiveGasPrice } = await at.rpc.mined('eth_sendTransaction', { from: at.accounts[2], to: STRANGER, gas: '0x5208', ...more });
    const spent = 10000n * 10n ** 18n - BigInt(await balance(at, at.accounts[2]));
    return [effectiveGasPrice, spent];
  },
  'base fee makes the price': async (at) => {
    await at.rpc.send('anvil_setNextBlockBaseFeePerGas', '0x3b9aca00');
    return at.rpc.send('eth_gasPrice').then((price) => BigInt(price) >= 10n ** 9n);
  },
  'minimum gas price': ({ rpc }) => rpc.try('anvil_setMinGasPrice', '0x1').then((answer) => 'code' in answer),
  'gas limit of blocks': async (at) => {
    const answer = await at.rpc.send('evm_setBlockGasLimit', '0x1c9c380');
    await at.rpc.send('evm_mine');
    const { gasLimit } = await head(at);
    await at.rpc.send('evm_setBlockGasLimit', '0x3938700');
    return [answer, gasLimit];
  },
  'a transaction beyond the gas limit': async (at) => {
    await at.rpc.send('evm_setBlockGasLimit', '0x7530');
    const answer = await at.rpc.try('eth_sendTransaction', { from: at.accounts[2], to: STRANGER, gas: '0x7531' });
    await at.rpc.send('evm_setBlockGasLimit', '0x3938700');
    return answer;
  },
  'impersonation': named(['anvil', 'hardhat'], async (at, name) => {
    await at.rpc.send('anvil_setBalance', STRANGER, '0x1000');
    const answer = await at.rpc.send(`${name}_impersonateAccount`, STRANGER);
    const receipt = await at.rpc.mined('eth_sendTransaction', { from: STRANGER, to: at.address, data: at.call('store', 5), value: '0x1' });
    const stopped = await at.rpc.send(`${name}_stopImpersonatingAccount`, STRANGER);
    const refused = await at.rpc.try('eth_sendTransaction', { from: STRANGER, to: at.address });
    return [answer, receipt.status, receipt.from, receipt.logs[0].topics[1], stopped, 'code' in refused];
  }),
  'impersonation, looked up': async (at) => {
    await at.rpc.send('anvil_impersonateAccount', STRANGER);
    const { transactionHash } = await at.rpc.mined('eth_sendTransaction', { from: STRANGER, to: at.accounts[0], gas: '0x5208' });
    const { from, nonce, to } = await at.rpc.send('eth_getTransactionByHash', transactionHash);
    return [from, nonce, to];
  },
  'impersonation of a contract': async (at) => {
    await at.rpc.send('anvil_impersonateAccount', at.address);
    const receipt = await at.rpc.mined('eth_sendTransaction', { from: at.address, to: at.accounts[0], gas: '0x5208' });
    return [receipt.status, receipt.from];
  },
  'impersonation of two senders': async (at) => {
    const hashes = [];
    for (const from of [STRANGER, `0x${'cd'.repeat(20)}`]) {
      await at.rpc.send('anvil_impersonateAccount', from);
      hashes.push((await at.rpc.mined('eth_sendTransaction', { from, to: at.accounts[0], gas: '0x5208' })).transactionHash);
    }
    return hashes[0] !== hashes[1];
  },
  'impersonation of everybody': async (at) => {
    await at.rpc.send('anvil_autoImpersonateAccount', true);
    const receipt = await at.rpc.mined('eth_sendTransaction', { from: STRANGER, to: at.accounts[0], gas: '0x5208' });
    await at.rpc.send('anvil_autoImpersonateAccount', false);
    return [receipt.status, 'code' in await at.rpc.try('eth_sendTransaction', { from: STRANGER, to: at.accounts[0], gas: '0x5208' })];
  },
  'node info': async ({ rpc }) => {
    const info = await rpc.send('anvil_nodeInfo');
    const { hardFork, transactionOrder, environment } = info;
    return [Object.keys(info).sort().filter((key) => key !== 'network'), Number(info.currentBlockNumber), hardFork.toLowerCase(), transactionOrder, Object.keys(environment).sort(), environment.chainId];
  },
  'metadata': named(['anvil_metadata', 'hardhat_metadata'], async ({ rpc }, name) => {
    const metadata = await rpc.send(name);
    return ['chainId', 'latestBlockNumber', 'latestBlockHash', 'instanceId', 'clientVersion'].map((key) => typeof metadata[key]);
  }),
  'logging': ({ rpc }) => rpc.try('anvil_setLoggingEnabled', true),
  'rollback': async (at) => {
    const [before, was] = [await height(at), await balance(at, STRANGER)];
    const { transactionHash } = await at.rpc.mined('eth_sendTransaction', { from: at.accounts[0], to: STRANGER, value: '0x9', gas: '0x5208' });
    await at.rpc.send('evm_mine');
    const answer = await at.rpc.send('anvil_rollback', 2);
    return [answer, (await height(at)) - before, (await balance(at, STRANGER)) === was,
      await at.rpc.send('eth_getTransactionReceipt', transactionHash)];
  },
  'rollback beyond the beginning': ({ rpc }) => rpc.try('anvil_rollback', 1000).then((answer) => 'code' in answer),
  'reorganisation': async (at) => {
    await at.rpc.send('anvil_mine', '0x3');
    const before = await height(at);
    const hash = async (back) => (await at.rpc.send('eth_getBlockByNumber', hex(before - back), false)).hash;
    const old = await Promise.all([0, 1, 2].map(hash));
    const answer = await at.rpc.send('anvil_reorg', 2, []);
    const now = await Promise.all([0, 1, 2].map(hash));
    return [answer, (await height(at)) - before, now.map((hash_, back) => hash_ === old[back])];
  },
  'reorganisation with transactions': async (at) => {
    await at.rpc.send('anvil_mine', '0x3');
    const before = await height(at);
    const request = { from: at.accounts[0], to: STRANGER, value: '0x9', gas: '0x5208', maxFeePerGas: '0x0', maxPriorityFeePerGas: '0x0' };
    await at.rpc.send('anvil_reorg', 2, [[request, 1]]);
    const counts = [1, 0].map((back) => at.rpc.send('eth_getBlockTransactionCountByNumber', hex(before - back)));
    return [await Promise.all(counts), await balance(at, STRANGER)];
  },
  'trace of calls': async (at) => {
    const { transactionHash } = await at.rpc.mined('eth_sendTransaction', { from: at.accounts[0], to: at.address, data: at.call('inner', 5), gas: '0x40000' });
    return at.rpc.send('debug_traceTransaction', transactionHash, { tracer: 'callTracer' });
  },
  'trace of a failure': async (at) => {
    const { transactionHash } = await at.rpc.mined('eth_sendTransaction', { from: at.accounts[0], to: at.address, data: at.call('failWithReason'), gas: '0x40000' });
    return at.rpc.send('debug_traceTransaction', transactionHash, { tracer: 'callTracer' });
  },
  'trace of a creation': async ({ rpc, deployed }) => {
    const { type, from, to, gasUsed, value } = await rpc.send('debug_traceTransaction', deployed.transactionHash, { tracer: 'callTracer' });
    return { type, from, to, gasUsed, value };
  },
  'trace of a call': async (at) => {
    const { type, output, to } = await at.rpc.send('debug_traceCall', { to: at.address, data: at.call('value') }, 'latest', { tracer: 'callTracer' });
    return { type, output, to };
  },
  'trace of nothing': ({ rpc }) => rpc.try('debug_traceTransaction', word(1), { tracer: 'callTracer' }).then((answer) => 'code' in answer),
};
