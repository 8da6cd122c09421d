// Transactions of every kind, and what is refused.
import { hex, refusal, shape, until, STRANGERS } from './lib.mjs';

const [STRANGER] = STRANGERS;

/** A transaction signed by account `index`, free of charge unless told. */
async function signed(at, fields, index = 4) {
  const wallet = at.wallets[index];
  const nonce = Number(await at.rpc.send('eth_getTransactionCount', wallet.address, 'pending'));
  const plain = { type: 2, chainId: 31337, nonce, gasLimit: 100_000, to: at.accounts[1],
    maxFeePerGas: 0, maxPriorityFeePerGas: 0, ...fields };
  if (plain.type !== 2) {
    delete plain.maxFeePerGas;
    delete plain.maxPriorityFeePerGas;
    plain.gasPrice ??= 0;
  }
  return wallet.signTransaction(plain);
}

/** Sends and tells the refusal with the words libraries look for, or the receipt. */
async function outcome(at, fields, index) {
  try {
    return shape(await at.rpc.mined('eth_sendRawTransaction', await signed(at, fields, index)));
  } catch (error) {
    if (error.code === undefined) throw error;
    return { ...refusal(error), says: said(error.message) };
  }
}

const WORDS = ['nonce too low', 'insufficient funds', 'intrinsic gas too low', 'already known',
  'underpriced', 'gas limit', 'initcode', 'chain id', 'already imported', 'gas too high', 'max fee per gas less than block base fee'];

/** Which of the well-known words a message has. */
const said = (message) => WORDS.filter((word) => message.toLowerCase().includes(word));

const sent = (fields, index) => (at) => outcome(at, typeof fields === 'function' ? fields(at) : fields, index);
const request = (more) => async (at) => {
  const { accounts: [from, to] } = at;
  try {
    return shape(await at.rpc.mined('eth_sendTransaction', { from, to, ...more }));
  } catch (error) {
    return { ...refusal(error), says: said(error.message) };
  }
};

/** A transaction as looked up, without its place. */
async function looked(at, raw) {
  const { transactionHash } = await at.rpc.mined('eth_sendRawTransaction', raw);
  return shape(await at.rpc.send('eth_getTransactionByHash', transactionHash));
}

export const checks = {
  'legacy': sent({ type: 0, value: 1 }),
  'legacy, looked up': async (at) => looked(at, await signed(at, { type: 0, value: 1 })),
  'legacy without chain id': async (at) => {
    const wallet = at.wallets[4];
    const unsigned = at.ethers.Transaction.from({ type: 0, nonce: 0, gasLimit: 21000, gasPrice: 0, to: at.accounts[1], value: 1 });
    unsigned.signature = wallet.signingKey.sign(unsigned.unsignedHash);
    return looked(at, unsigned.serialized);
  },
  'with an access list': sent((at) => ({ type: 1, to: at.address, data: at.call('store', 5),
    accessList: [{ address: at.address, storageKeys: [`0x${'00'.repeat(32)}`] }] })),
  'with an access list, looked up': async (at) => looked(at, await signed(at, { type: 1, accessList: [] })),
  'with fees': sent((at) => ({ to: at.address, data: at.call('store', 5) })),
  'with fees, looked up': async (at) => looked(at, await signed(at, { value: 3, maxFeePerGas: 9, maxPriorityFeePerGas: 2 })),
  'with a tip': sent({ maxFeePerGas: 9, maxPriorityFeePerGas: 2 }),
  'tips go to the coinbase': async (at) => {
    await at.rpc.send('anvil_setCoinbase', STRANGER);
    await outcome(at, { maxFeePerGas: 9, maxPriorityFeePerGas: 2, gasLimit: 21000 });
    return at.rpc.send('eth_getBalance', STRANGER, 'latest');
  },
  'a creation': sent((at) => ({ to: null, data: at.probe.bytecode + at.iface.encodeDeploy([1]).slice(2), gasLimit: 3_000_000 })),
  'a creation by a contract': sent((at) => ({ to: at.address, data: at.call('create', `0x${'01'.repeat(32)}`), gasLimit: 500_000 })),
  'a creation that fails': sent({ to: null, data: '0xfe', gasLimit: 100_000 }),
  'a creation of too much code': sent({ to: null, data: '0x6160016000f3', gasLimit: 10_000_000 }),
  'a creation from too much code': sent({ to: null, data: `0x${'00'.repeat(49153)}`, gasLimit: 10_000_000 }),
  'a call that reverts': sent((at) => ({ to: at.address, data: at.call('failWithReason') })),
  'a call that burns its gas': sent((at) => ({ to: at.address, data: at.call('burn') })),
  'a call that runs out of gas': sent((at) => ({ to: at.address, data: at.call('fill', 0, 20) })),
  'money to a contract': sent((at) => ({ to: at.address, value: 5 })),
  'money to oneself': sent((at) => ({ to: at.accounts[4], value: 5 })),
  'anonymous logs': sent((at) => ({ to: at.address, data: at.call('whisper') })),
  'many logs': sent((at) => ({ to: at.address, data: at.call('shout', 5) })),
  'no money': sent({ value: 10n ** 30n }),
  'no money for gas': sent({ type: 0, gasPrice: 10n ** 25n }),
  'nonce too low': async (at) => {
    await outcome(at, { value: 1 });
    return outcome(at, { value: 1, nonce: 0 });
  },
  'the same again': async (at) => {
    const raw = await signed(at, { value: 1 });
    await at.rpc.mined('eth_sendRawTransaction', raw);
    return at.rpc.try('eth_sendRawTransaction', raw);
  },
  'nonce too high waits': async (at) => {
    const hash = await at.rpc.send('eth_sendRawTransaction', await signed(at, { nonce: 1 }));
    const waiting = await at.rpc.send('eth_getTransactionByHash', hash);
    const receipt = await at.rpc.send('eth_getTransactionReceipt', hash);
    await outcome(at, { nonce: 0 });
    const later = await until(() => at.rpc.send('eth_getTransactionReceipt', hash));
    return [waiting.blockHash, waiting.blockNumber, waiting.nonce, receipt, later.status];
  },
  'the same while it waits': async (at) => {
    const raw = await signed(at, { nonce: 1 });
    await at.rpc.send('eth_sendRawTransaction', raw);
    return at.rpc.try('eth_sendRawTransaction', raw);
  },
  'too little gas': sent({ gasLimit: 20_999 }),
  'too little gas for the data': sent({ gasLimit: 21_000, data: '0x1234' }),
  'more gas than a block': sent({ gasLimit: 60_000_001 }),
  'another chain': sent({ chainId: 1 }),
  'a tip above the fee': sent({ maxFeePerGas: 1, maxPriorityFeePerGas: 2 }),
  'a broken signature': async (at) => {
    const raw = await signed(at, { value: 1 });
    return at.rpc.try('eth_sendRawTransaction', `${raw.slice(0, -64)}${'f'.repeat(64)}`);
  },
  'bytes after the end': async (at) => at.rpc.try('eth_sendRawTransaction', `${await signed(at, {})}00`),
  'an unknown type': ({ rpc }) => rpc.try('eth_sendRawTransaction', '0x7fc0'),
  'by the node': request({ value: '0x1' }),
  'by the node, with everything': request({ value: '0x1', gas: '0x5208', nonce: '0x3' }),
  'by the node, legacy': request({ gasPrice: '0x0' }),
  'by the node, nonce too low': request({ nonce: '0x0' }),
  'by the node, from a stranger': request({ from: STRANGER }),
  'by the node, without sender': request({ from: undefined }),
  'by the node, what reverts': async (at) => request({ to: at.address, data: at.call('failWithReason') })(at),
  'by the node, what reverts, with gas': async (at) =>
    request({ to: at.address, data: at.call('failWithReason'), gas: '0x20000' })(at),
  'by the node, creation': async (at) =>
    request({ to: undefined, data: at.probe.bytecode + at.iface.encodeDeploy([1]).slice(2) })(at)
      .then(({ gasUsed, contractAddress, status }) => ({ gasUsed, contractAddress, status })),
  'signed but not sent': async ({ rpc, ethers, accounts: [from, to] }) => {
    const fields = { from, to, value: '0x7', gas: '0x5208', nonce: '0x3', maxFeePerGas: '0x0', maxPriorityFeePerGas: '0x0' };
    const answer = await rpc.send('eth_signTransaction', fields);
    const raw = ethers.Transaction.from(answer.raw ?? answer);
    return [raw.from.toLowerCase(), raw.value, raw.nonce, raw.chainId];
  },
  'a signature of a message': ({ rpc, accounts: [from] }) => rpc.try('personal_sign', '0x68656c6c6f', from),
  'a signature the old way': ({ rpc, accounts: [from] }) => rpc.try('eth_sign', from, '0x68656c6c6f'),
  'a signature of a stranger': ({ rpc }) => rpc.try('eth_sign', STRANGER, '0x68656c6c6f'),
  'a typed signature': async ({ rpc, ethers, accounts: [from], provider }) => {
    const domain = { name: 'Probe', version: '1', chainId: 31337, verifyingContract: STRANGER };
    const types = { Mail: [{ name: 'to', type: 'address' }, { name: 'parts', type: 'Part[]' }],
      Part: [{ name: 'text', type: 'string' }, { name: 'size', type: 'uint256' }] };
    const value = { to: STRANGER, parts: [{ text: 'one', size: 1 }, { text: 'two', size: 2n ** 200n }] };
    const signature = await (await provider.getSigner(from)).signTypedData(domain, types, value);
    return [signature, ethers.verifyTypedData(domain, types, value, signature).toLowerCase() === from];
  },
  'a typed signature of rubbish': ({ rpc, accounts: [from] }) =>
    rpc.try('eth_signTypedData_v4', from, { types: {}, domain: {}, primaryType: 'No', message: {} }),
};
