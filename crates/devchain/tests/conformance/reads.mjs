// Looking things up.
import { form, hex, shape } from './lib.mjs';

const NOBODY = `0x${'ab'.repeat(20)}`;
const NOWHERE = `0x${'cd'.repeat(32)}`;
const ask = (method, ...params) => ({ rpc }) => rpc.try(method, ...params);
const TAGS = ['latest', 'pending', 'earliest', 'safe', 'finalized', '0x1', hex(0x100)];

/** The method's answer at every kind of block, `first` being what it is about. */
const everywhere = (method, first) => async (at) => {
  const block = await at.rpc.send('eth_getBlockByNumber', '0x2', false);
  const ids = [...TAGS, { blockHash: block.hash }, { blockNumber: '0x1' }, { blockHash: NOWHERE },
    { blockHash: block.hash, requireCanonical: true }];
  return Promise.all(ids.map((id) => at.rpc.try(method, ...first(at), id)));
};

export const checks = {
  'chain id': ask('eth_chainId'),
  'network version': ask('net_version'),
  'listening': ask('net_listening'),
  'client version is a string': async ({ rpc }) => typeof (await rpc.send('web3_clientVersion')),
  'accounts': ask('eth_accounts'),
  'request accounts': ask('eth_requestAccounts'),
  'coinbase': ask('eth_coinbase'),
  'hashrate': ask('eth_hashrate'),
  'syncing': ask('eth_syncing'),
  'gas price': ask('eth_gasPrice'),
  'priority fee': ask('eth_maxPriorityFeePerGas'),
  'blob base fee is a quantity': async ({ rpc }) => form(await rpc.send('eth_blobBaseFee')),
  'block number': ask('eth_blockNumber'),
  'balance everywhere': everywhere('eth_getBalance', ({ accounts: [, to] }) => [to]),
  'nonce everywhere': everywhere('eth_getTransactionCount', ({ accounts: [from] }) => [from]),
  'code everywhere': async (at) =>
    (await everywhere('eth_getCode', () => [at.address])(at)).map((code) => code?.length ?? code),
  'storage everywhere': everywhere('eth_getStorageAt', ({ address }) => [address, '0x0']),
  'storage by a long key': ({ rpc, address }) => rpc.try('eth_getStorageAt', address, `0x${'00'.repeat(32)}`, 'latest'),
  'balance by default is the latest': ({ rpc, accounts: [, to] }) => rpc.try('eth_getBalance', to),
  'a stranger has nothing': async ({ rpc }) => [
    await rpc.try('eth_getBalance', NOBODY, 'latest'),
    await rpc.try('eth_getTransactionCount', NOBODY, 'latest'),
    await rpc.try('eth_getCode', NOBODY, 'latest'),
    await rpc.try('eth_getStorageAt', NOBODY, '0x5', 'latest'),
  ],
  'block with hashes': ask('eth_getBlockByNumber', '0x2', false),
  'block with transactions': ask('eth_getBlockByNumber', '0x3', true),
  'genesis': async ({ rpc }) => shape(await rpc.send('eth_getBlockByNumber', 'earliest', true)),
  'blocks by tag': async ({ rpc }) => {
    const number = async (tag) => (await rpc.send('eth_getBlockByNumber', tag, false))?.number ?? null;
    return Promise.all(['latest', 'pending', 'earliest', 'safe', 'finalized', '0x2'].map(number));
  },
  'pending block without transactions': async ({ rpc }) => {
    const block = await rpc.send('eth_getBlockByNumber', 'pending', true);
    return [block.number, block.transactions, block.gasUsed];
  },
  'block by hash': async ({ rpc, stored }) => rpc.try('eth_getBlockByHash', stored.blockHash, true),
  'no block of this hash': ask('eth_getBlockByHash', NOWHERE, false),
  'blocks are linked': async ({ rpc }) => {
    const [one, two] = [await rpc.send('eth_getBlockByNumber', '0x1', false),
      await rpc.send('eth_getBlockByNumber', '0x2', false)];
    return [two.parentHash === one.hash, BigInt(two.timestamp) >= BigInt(one.timestamp)];
  },
  'transactions in a block': async ({ rpc, stored }) => [
    await rpc.try('eth_getBlockTransactionCountByNumber', '0x2'),
    await rpc.try('eth_getBlockTransactionCountByHash', stored.blockHash),
    await rpc.try('eth_getBlockTransactionCountByNumber', '0xffff'),
    await rpc.try('eth_getBlockTransactionCountByHash', NOWHERE),
  ],
  'uncles': async ({ rpc, stored }) => [
    await rpc.try('eth_getUncleCountByBlockNumber', '0x2'),
    await rpc.try('eth_getUncleCountByBlockHash', stored.blockHash),
    await rpc.try('eth_getUncleByBlockNumberAndIndex', '0x2', '0x0'),
    await rpc.try('eth_getUncleByBlockHashAndIndex', stored.blockHash, '0x0'),
  ],
  'transaction by hash': async ({ rpc, stored }) => rpc.try('eth_getTransactionByHash', stored.transactionHash),
  'transaction by place': async ({ rpc, stored }) => [
    await rpc.try('eth_getTransactionByBlockNumberAndIndex', '0x2', '0x0'),
    await rpc.try('eth_getTransactionByBlockHashAndIndex', stored.blockHash, '0x0'),
    await rpc.try('eth_getTransactionByBlockNumberAndIndex', '0x2', '0x1'),
    await rpc.try('eth_getTransactionByBlockNumberAndIndex', '0xffff', '0x0'),
  ],
  'transaction as bytes': async ({ rpc, stored }) => [
    await rpc.try('eth_getRawTransactionByHash', stored.transactionHash),
    await rpc.try('eth_getRawTransactionByHash', NOWHERE),
    await rpc.try('eth_getRawTransactionByBlockNumberAndIndex', '0x2', '0x0'),
    await rpc.try('eth_getRawTransactionByBlockHashAndIndex', stored.blockHash, '0x0'),
  ],
  'no transaction of this hash': ask('eth_getTransactionByHash', NOWHERE),
  'receipt of a creation': ({ deployed }) => shape(deployed),
  'receipt of a call': ({ stored }) => shape(stored),
  'receipt of a payment': ({ paid }) => shape(paid),
  'no receipt of this hash': ask('eth_getTransactionReceipt', NOWHERE),
  'receipts of a block': async ({ rpc, stored }) => [
    await rpc.try('eth_getBlockReceipts', '0x2'),
    await rpc.try('eth_getBlockReceipts', stored.blockHash),
    await rpc.try('eth_getBlockReceipts', '0xffff'),
  ],
  'fee history': ask('eth_feeHistory', '0x2', 'latest', []),
  'fee history of more blocks than there are': async ({ rpc }) => {
    const { oldestBlock, baseFeePerGas, gasUsedRatio } = await rpc.send('eth_feeHistory', '0x40', 'latest', []);
    return [oldestBlock, baseFeePerGas.length, gasUsedRatio.length];
  },
  'fee history of one block': ask('eth_feeHistory', '0x1', '0x2', []),
  'fee history of no block': ask('eth_feeHistory', '0x0', 'latest', []),
  'fee history, count as a number': async ({ rpc }) =>
    (await rpc.send('eth_feeHistory', 2, 'latest', [])).gasUsedRatio.length,
  'fee history, pending': async ({ rpc }) => (await rpc.try('eth_feeHistory', '0x1', 'pending', [])).oldestBlock,
  'fee history with rewards': async ({ rpc }) => {
    const { reward } = await rpc.send('eth_feeHistory', '0x2', 'latest', [0, 25, 50.5, 100]);
    return reward.map((block) => block.length);
  },
  'fee history, rewards in disorder': ask('eth_feeHistory', '0x1', 'latest', [50, 10]),
  'fee history, rewards out of range': ask('eth_feeHistory', '0x1', 'latest', [150]),
  'fee history of the future': ask('eth_feeHistory', '0x1', '0xffff', []),
  'proof of an account': ({ rpc, address }) => rpc.try('eth_getProof', address, ['0x0'], 'latest'),
};
