// The libraries as their users use them.
import { HEADERS, STRANGERS } from './lib.mjs';

const [STRANGER] = STRANGERS;
const FREE = { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n };

function contract_of({ ethers, address, probe, wallets, provider }, index = 7) {
  const wallet = new ethers.Wallet(wallets[index].privateKey, provider);
  return new ethers.Contract(address, probe.abi, wallet);
}

function clients({ viem, url, wallets, probe, address }) {
  const transport = viem.http(url, { retryCount: 0, fetchOptions: { headers: HEADERS } });
  const options = { chain: viem.chains.foundry, transport, pollingInterval: 30, cacheTime: 0 };
  const account = viem.accounts.privateKeyToAccount(wallets[8].privateKey);
  const test = viem.createTestClient({ ...options, mode: 'anvil' }).extend(viem.publicActions).extend(viem.walletActions);
  const hardhat = viem.createTestClient({ ...options, mode: 'hardhat' }).extend(viem.publicActions);
  return { test, hardhat, account, reader: viem.createPublicClient(options),
    writer: viem.createWalletClient({ ...options, account }), probe: { address, abi: probe.abi } };
}

const by_viem = (act) => (at) => act(clients(at), at);

const by_web3 = (act) => async (at) => {
  const web3 = new at.Web3(at.url);
  web3.eth.transactionPollingInterval = 30;
  return act(web3, new web3.eth.Contract(at.probe.abi, at.address), at);
};
const WEB3_FREE = { maxFeePerGas: '0', maxPriorityFeePerGas: '0' };

export const checks = {
  'ethers: network': async ({ provider }) => (await provider.getNetwork()).chainId,
  'ethers: fee data': async ({ provider }) => Object.keys((await provider.getFeeData()).toJSON()),
  'ethers: deployment': async ({ ethers, probe, provider, wallets }) => {
    const wallet = new ethers.Wallet(wallets[7].privateKey, provider);
    const factory = new ethers.ContractFactory(probe.abi, probe.bytecode, wallet);
    const contract = await factory.deploy(77, FREE);
    await contract.waitForDeployment();
    return [await contract.getAddress(), await contract.value(), (await contract.getDeployedCode()).length];
  },
  'ethers: write and event': async (at) => {
    const receipt = await (await contract_of(at).store(5, { ...FREE, value: 1 })).wait();
    const [{ fragment, args }] = receipt.logs;
    return [receipt.status, fragment.name, args.toArray(), await contract_of(at).value()];
  },
  'ethers: static call': (at) => contract_of(at).store.staticCall(5),
  'ethers: populated': async (at) => {
    const { to, data, from } = await contract_of(at).store.populateTransaction(5);
    return { to, data, from };
  },
  'ethers: query filter': async (at) => {
    const contract = contract_of(at);
    for (const value of [1, 2, 3]) await (await contract.store(value, FREE)).wait();
    const all = await contract.queryFilter(contract.filters.Stored(contract.runner.address), 0);
    const two = await contract.queryFilter(contract.filters.Stored(null, 2), 0);
    return [all.map(({ args }) => args[1]), two.length];
  },
  'ethers: block with transactions': async ({ provider, stored }) => {
    const block = await provider.getBlock(stored.blockHash, true);
    return [block.prefetchedTransactions.length, block.prefetchedTransactions[0].nonce, block.gasUsed];
  },
  'ethers: signer of the node': async ({ provider, accounts: [from] }) => {
    const signer = await provider.getSigner(from);
    const sent = await signer.sendTransaction({ to: STRANGER, value: 3, ...FREE });
    return [(await sent.wait()).status, await signer.signMessage('hello')];
  },
  'ethers: nonce manager': async ({ ethers, provider, wallets }) => {
    const manager = new ethers.NonceManager(new ethers.Wallet(wallets[7].privateKey, provider));
    const sent = await Promise.all([1, 2, 3].map((value) => manager.sendTransaction({ to: STRANGER, value, ...FREE })));
    return (await Promise.all(sent.map((one) => one.wait()))).map(({ status }) => status);
  },
  'ethers: one transaction after another, as is': async ({ ethers, url, wallets }) => {
    const provider = new ethers.JsonRpcProvider(url, undefined, { pollingInterval: 20 });
    const wallet = new ethers.Wallet(wallets[7].privateKey, provider);
    const statuses = [];
    for (const value of [1, 2]) {
      const sent = await wallet.sendTransaction({ to: STRANGER, value, ...FREE });
      statuses.push((await sent.wait()).status);
    }
    provider.destroy();
    return statuses;
  },
  'ethers: lookups of nothing': async ({ provider }) => [
    await provider.getTransaction(`0x${'cd'.repeat(32)}`), await provider.getTransactionReceipt(`0x${'cd'.repeat(32)}`),
    await provider.getBlock(9_999_999), await provider.getCode(STRANGER),
  ],
  'viem: chain': by_viem(({ reader }) => reader.getChainId()),
  'viem: fees': by_viem(async ({ reader }) => Object.keys(await reader.estimateFeesPerGas()).sort()),
  'viem: deployment': by_viem(async ({ reader, writer, probe }, at) => {
    const hash = await writer.deployContract({ ...FREE, abi: probe.abi, bytecode: at.probe.bytecode, args: [5n] });
    const receipt = await reader.waitForTransactionReceipt({ hash });
    return [receipt.status, receipt.contractAddress, await reader.readContract({ ...probe, address: receipt.contractAddress, functionName: 'value' })];
  }),
  'viem: write and events': by_viem(async ({ reader, writer, probe }) => {
    const { request, result } = await reader.simulateContract({ ...probe, account: writer.account, functionName: 'store', args: [6n], ...FREE });
    const hash = await writer.writeContract(request);
    const { status, blockNumber } = await reader.waitForTransactionReceipt({ hash });
    const events = await reader.getContractEvents({ ...probe, eventName: 'Stored', fromBlock: blockNumber });
    return [result, status, events.map(({ args }) => args)];
  }),
  'viem: reads at once': by_viem(({ reader, probe }) =>
    Promise.all([1, 2, 3].map(() => reader.readContract({ ...probe, functionName: 'value' })))),
  'viem: call with overrides': by_viem(async ({ reader }) => {
    const stateOverride = [{ address: STRANGER, code: '0x602a60005260206000f3' }];
    return (await reader.call({ to: STRANGER, stateOverride })).data;
  }),
  'viem: estimate': by_viem(({ reader, account }) => reader.estimateGas({ account, to: STRANGER, value: 1n })),
  'viem: access list': by_viem(async ({ reader, probe, account }, at) =>
    (await reader.createAccessList({ account, to: probe.address, data: at.call('value') })).accessList),
  'viem: fee history': by_viem(async ({ reader }) => {
    const { gasUsedRatio, reward, oldestBlock } = await reader.getFeeHistory({ blockCount: 2, rewardPercentiles: [10, 90] });
    return [gasUsedRatio.length, reward.map((list) => list.length), oldestBlock];
  }),
  'viem: typed data': by_viem(({ writer }) => writer.signTypedData({ domain: { name: 'x' }, primaryType: 'A', types: { A: [{ name: 'b', type: 'uint256' }] }, message: { b: 1n } })),
  'viem test: mining': by_viem(async ({ test }) => {
    const before = await test.getBlockNumber();
    await test.mine({ blocks: 3 });
    await test.mine({ blocks: 2, interval: 10 });
    return (await test.getBlockNumber()) - before;
  }),
  'viem test: time': by_viem(async ({ test }) => {
    const { timestamp } = await test.getBlock();
    await test.setNextBlockTimestamp({ timestamp: timestamp + 500n });
    await test.mine({ blocks: 1 });
    const after = (await test.getBlock()).timestamp - timestamp;
    await test.increaseTime({ seconds: 1000 });
    await test.mine({ blocks: 1 });
    const later = (await test.getBlock()).timestamp - timestamp;
    return [after, later >= 1500n && later < 1560n];
  }),
  'viem test: accounts': by_viem(async ({ test }) => {
    await test.setBalance({ address: STRANGER, value: 1000n });
    await test.setNonce({ address: STRANGER, nonce: 5 });
    await test.setCode({ address: STRANGER, bytecode: '0x602a60005260206000f3' });
    await test.setStorageAt({ address: STRANGER, index: 2, value: `0x${'0'.repeat(63)}9` });
    return [await test.getBalance({ address: STRANGER }), await test.getTransactionCount({ address: STRANGER }),
      await test.getCode({ address: STRANGER }), await test.getStorageAt({ address: STRANGER, slot: '0x2' })];
  }),
  'viem test: snapshots': by_viem(async ({ test }) => {
    const before = await test.getBlockNumber();
    const id = await test.snapshot();
    await test.mine({ blocks: 3 });
    await test.revert({ id });
    return (await test.getBlockNumber()) - before;
  }),
  'viem test: impersonation': by_viem(async ({ test }) => {
    await test.setBalance({ address: STRANGER, value: 1000n });
    await test.impersonateAccount({ address: STRANGER });
    const hash = await test.sendTransaction({ account: STRANGER, to: STRANGER, value: 1n, ...FREE });
    const { status } = await test.waitForTransactionReceipt({ hash });
    await test.stopImpersonatingAccount({ address: STRANGER });
    return status;
  }),
  'viem test: pool': by_viem(async ({ test, writer }) => {
    await test.setAutomine(false);
    const hash = await writer.sendTransaction({ to: STRANGER, value: 1n, gas: 21000n, ...FREE });
    const status = await test.getTxpoolStatus();
    const content = await test.getTxpoolContent();
    const inspection = await test.inspectTxpool();
    await test.dropTransaction({ hash });
    await test.setAutomine(true);
    return [status, Object.keys(content.pending).length, Object.keys(inspection.pending).length, await test.getAutomine()];
  }),
  'viem test: coinbase and fees': by_viem(async ({ test }) => {
    await test.setCoinbase({ address: STRANGER });
    await test.setNextBlockBaseFeePerGas({ baseFeePerGas: 5n });
    await test.mine({ blocks: 1 });
    const { miner, baseFeePerGas } = await test.getBlock();
    return [miner, baseFeePerGas];
  }),
  'viem test: gas limit, interval, logging': by_viem(async ({ test }) => {
    await test.setBlockGasLimit({ gasLimit: 40_000_000n });
    await test.mine({ blocks: 1 });
    const { gasLimit } = await test.getBlock();
    await test.setBlockGasLimit({ gasLimit: 60_000_000n });
    await test.setLoggingEnabled(false);
    await test.setBlockTimestampInterval({ interval: 5 });
    await test.removeBlockTimestampInterval();
    return gasLimit;
  }),
  'viem test: unsigned transaction': by_viem(async ({ test, account }) => {
    const sent = test.sendUnsignedTransaction({ from: account.address, to: STRANGER, value: 1n, gas: 21000n, ...FREE });
    return sent.then((hash) => hash.length, (error) => error.name);
  }),
  'viem hardhat: helpers': by_viem(async ({ hardhat }) => {
    const before = await hardhat.getBlockNumber();
    await hardhat.mine({ blocks: 2 });
    await hardhat.setBalance({ address: STRANGER, value: 77n });
    await hardhat.setNonce({ address: STRANGER, nonce: 3 });
    await hardhat.setCode({ address: STRANGER, bytecode: '0x602a60005260206000f3' });
    await hardhat.setStorageAt({ address: STRANGER, index: 1, value: `0x${'0'.repeat(63)}8` });
    await hardhat.impersonateAccount({ address: STRANGER });
    await hardhat.stopImpersonatingAccount({ address: STRANGER });
    return [(await hardhat.getBlockNumber()) - before, await hardhat.getBalance({ address: STRANGER }), await hardhat.getTransactionCount({ address: STRANGER })];
  }),
  'web3: chain': by_web3((web3) => web3.eth.getChainId()),
  'web3: accounts and balance': by_web3(async (web3) => {
    const accounts = await web3.eth.getAccounts();
    return [accounts.length, await web3.eth.getBalance(accounts[9])];
  }),
  'web3: deployment': by_web3(async (web3, contract, { probe, accounts: [from] }) => {
    const deployed = await new web3.eth.Contract(probe.abi)
      .deploy({ data: probe.bytecode, arguments: [9] }).send({ from, gas: '3000000', ...WEB3_FREE });
    return deployed.methods.value().call();
  }),
  'web3: write and events': by_web3(async (web3, contract, { accounts: [from] }) => {
    const receipt = await contract.methods.store(4).send({ from, gas: '100000', ...WEB3_FREE });
    const events = await contract.getPastEvents('Stored', { fromBlock: receipt.blockNumber });
    return [receipt.status, receipt.events.Stored.returnValues.value, events.length];
  }),
  'web3: signed transaction': by_web3(async (web3, contract, { wallets }) => {
    const account = web3.eth.accounts.privateKeyToAccount(wallets[7].privateKey);
    const signed = await account.signTransaction({ to: STRANGER, value: '1', gas: '21000', nonce: 0, chainId: 31337, ...WEB3_FREE });
    return (await web3.eth.sendSignedTransaction(signed.rawTransaction)).status;
  }),
  'web3: estimate': by_web3((web3, contract, { accounts: [from] }) => web3.eth.estimateGas({ from, to: STRANGER, value: '1' })),
  'web3: block': by_web3(async (web3) => {
    const { number, transactions } = await web3.eth.getBlock(2, true);
    return [number, transactions.length];
  }),
  'web3: batch': by_web3(async (web3) => {
    const batch = new web3.BatchRequest();
    const answers = [batch.add({ method: 'eth_chainId', params: [] }), batch.add({ method: 'net_version', params: [] })];
    await batch.execute();
    return Promise.all(answers);
  }),
};
