// Logs, and filters that are polled.
import { hex, shape, until } from './lib.mjs';

const topic = (at, name) => at.iface.getEvent(name).topicHash;
const word = (value) => `0x${BigInt(value).toString(16).padStart(64, '0')}`;
const pad = (address) => `0x${'0'.repeat(24)}${address.slice(2)}`;

const send = (at, name, ...values) => at.rpc.mined('eth_sendTransaction',
  { from: at.accounts[0], to: at.address, data: at.call(name, ...values), gas: '0x100000' });

/** Stores 1, 2 and 3 in three blocks; the number of the first. */
async function three(at) {
  const first = await send(at, 'store', 1);
  await send(at, 'store', 2);
  await send(at, 'store', 3);
  return Number(first.blockNumber);
}

/** How many logs, or the refusal. */
async function count(at, filter) {
  const found = await at.rpc.try('eth_getLogs', filter);
  return Array.isArray(found) ? found.length : found;
}

const counting = (make) => async (at) => {
  const first = await three(at);
  return count(at, await make(at, first));
};

/** What a filter of `kind` has reported, after it was asked `times` and `act` was done. */
async function changes(at, kind, params, act) {
  const id = await at.rpc.send(kind, ...params);
  await act(at);
  const told = await at.rpc.send('eth_getFilterChanges', id);
  const again = await at.rpc.send('eth_getFilterChanges', id);
  return [told.length, again.length, typeof id, await at.rpc.send('eth_uninstallFilter', id)];
}

export const checks = {
  'a log in full': async (at) => {
    await three(at);
    return shape(await at.rpc.send('eth_getLogs', { address: at.address }));
  },
  'all': counting(() => ({ fromBlock: 'earliest', toBlock: 'latest' })),
  'only the latest by default': counting(() => ({})),
  'by range': counting((at, first) => ({ fromBlock: hex(first), toBlock: hex(first + 1) })),
  'from a block': counting((at, first) => ({ fromBlock: hex(first + 1) })),
  'up to a block': counting((at, first) => ({ fromBlock: '0x0', toBlock: hex(first) })),
  'of a range beyond the end': counting((at, first) => ({ fromBlock: hex(first), toBlock: hex(first + 100) })),
  'of a range of nothing': counting((at, first) => ({ fromBlock: hex(first + 50), toBlock: hex(first + 100) })),
  'of a range backwards': counting((at, first) => ({ fromBlock: hex(first + 1), toBlock: hex(first) })),
  'up to pending': counting(() => ({ fromBlock: '0x0', toBlock: 'pending' })),
  'by address': counting((at) => ({ fromBlock: '0x0', address: at.address })),
  'by addresses': counting((at) => ({ fromBlock: '0x0', address: [at.address, at.accounts[0]] })),
  'by no address': counting((at) => ({ fromBlock: '0x0', address: [] })),
  'by another address': counting((at) => ({ fromBlock: '0x0', address: at.accounts[0] })),
  'by topic': counting((at) => ({ fromBlock: '0x0', topics: [topic(at, 'Stored')] })),
  'by topic, any': counting((at) => ({ fromBlock: '0x0', topics: [null] })),
  'by topic, one of two': counting((at) => ({ fromBlock: '0x0', topics: [null, null, [word(1), word(3)]] })),
  'by topic and topic': counting((at) => ({ fromBlock: '0x0', topics: [topic(at, 'Stored'), pad(at.accounts[0]), word(2)] })),
  'by too many topics': counting(() => ({ fromBlock: '0x0', topics: [null, null, null, word(1)] })),
  'by five topics': ({ rpc }) => rpc.try('eth_getLogs', { topics: [null, null, null, null, null] }),
  'by no topic': counting(() => ({ fromBlock: '0x0', topics: [] })),
  'by empty alternatives': counting(() => ({ fromBlock: '0x0', topics: [[]] })),
  'by block hash': counting(async (at, first) =>
    ({ blockHash: (await at.rpc.send('eth_getBlockByNumber', hex(first), false)).hash })),
  'by a hash of no block': ({ rpc }) => rpc.try('eth_getLogs', { blockHash: word(5) }).then((answer) => 'code' in answer),
  'by hash and range': ({ rpc }) => rpc.try('eth_getLogs', { blockHash: word(5), fromBlock: '0x0' }).then((answer) => 'code' in answer),
  'several in a block': async (at) => {
    const { logs, blockNumber } = await send(at, 'shout', 4);
    const found = await at.rpc.send('eth_getLogs', { fromBlock: blockNumber });
    return [logs.length, found.map(({ logIndex }) => logIndex), found.map(({ topics }) => topics[2])];
  },
  'anonymous': async (at) => {
    const { blockNumber } = await send(at, 'whisper');
    return shape(await at.rpc.send('eth_getLogs', { fromBlock: blockNumber, topics: [] }));
  },
  'block filter': (at) => changes(at, 'eth_newBlockFilter', [], three),
  'block filter tells hashes': async (at) => {
    const id = await at.rpc.send('eth_newBlockFilter');
    const { blockHash } = await send(at, 'store', 1);
    const told = await at.rpc.send('eth_getFilterChanges', id);
    return told.length === 1 && told[0] === blockHash;
  },
  'log filter': (at) => changes(at, 'eth_newFilter', [{ address: at.address }], three),
  'log filter of a topic': (at) => changes(at, 'eth_newFilter', [{ topics: [null, null, word(2)] }], three),
  'log filter of another address': (at) => changes(at, 'eth_newFilter', [{ address: at.accounts[3] }], three),
  'log filter, asked as a whole': async (at) => {
    const first = await three(at);
    const id = await at.rpc.send('eth_newFilter', { fromBlock: hex(first), toBlock: 'latest' });
    return (await at.rpc.send('eth_getFilterLogs', id)).length;
  },
  'pending transaction filter': (at) => changes(at, 'eth_newPendingTransactionFilter', [], three),
  'pending transaction filter tells hashes': async (at) => {
    const id = await at.rpc.send('eth_newPendingTransactionFilter');
    const { transactionHash } = await send(at, 'store', 1);
    return (await at.rpc.send('eth_getFilterChanges', id))[0] === transactionHash;
  },
  'a filter that was uninstalled': async ({ rpc }) => {
    const id = await rpc.send('eth_newBlockFilter');
    const first = await rpc.send('eth_uninstallFilter', id);
    const second = await rpc.send('eth_uninstallFilter', id);
    return [first, second, 'code' in await rpc.try('eth_getFilterChanges', id)];
  },
  'a filter nobody installed': async ({ rpc }) =>
    [await rpc.try('eth_uninstallFilter', '0xffff'), 'code' in await rpc.try('eth_getFilterLogs', '0xffff')],
  'filters have ids of their own': async ({ rpc }) => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => rpc.send('eth_newBlockFilter')));
    return new Set(ids).size;
  },
  'a filter sees nothing of before': async (at) => {
    await three(at);
    const id = await at.rpc.send('eth_newFilter', { fromBlock: '0x0' });
    await send(at, 'store', 9);
    const told = await until(async () => {
      const logs = await at.rpc.send('eth_getFilterChanges', id);
      return logs.length > 0 && logs;
    });
    return told.at(-1).topics[2];
  },
};
