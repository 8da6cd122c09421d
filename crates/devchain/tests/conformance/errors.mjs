// The class of error each library makes of each failure.

const fate = async (promise, tell) => {
  try {
    await promise;
    return 'succeeded';
  } catch (error) {
    return tell(error);
  }
};

/** What an ethers user sees. */
const ethers_error = ({ code, reason, revert, data }) =>
  ({ code, reason: reason ?? null, name: revert?.name ?? null, args: revert ? Array.from(revert.args, String) : null, data: data ?? null });

/** The classes of a viem error from the outermost to the cause. */
function viem_error(error) {
  const names = [];
  for (let at = error; at; at = at.cause) names.push(at.name);
  const decoded = error.walk?.((inner) => inner.data?.errorName);
  const known = names.filter((name) => !/^(Rpc|Request|Unknown|Http|InvalidParams|InternalRpc|InvalidInput|TransactionRejected|Resource)/.test(name));
  return { names: known, decoded: decoded?.data?.errorName ?? null };
}

const wallet_of = ({ ethers, provider, wallets }, index = 5) => new ethers.Wallet(wallets[index].privateKey, provider);
const FREE = { type: 2, maxFeePerGas: 0, maxPriorityFeePerGas: 0 };

const by_ethers = (act) => (at) => {
  const contract = new at.ethers.Contract(at.address, at.probe.abi, at.provider);
  return fate(act(at, contract, wallet_of(at)), ethers_error);
};

function viem_clients({ viem, url, wallets }) {
  const transport = viem.http(url, { retryCount: 0, fetchOptions: { headers: { 'x-iexec-nonce': 'managed' } } });
  const options = { chain: viem.chains.foundry, transport, pollingInterval: 50, cacheTime: 0 };
  const account = viem.accounts.privateKeyToAccount(wallets[6].privateKey);
  return { reader: viem.createPublicClient(options), writer: viem.createWalletClient({ ...options, account }), account };
}

const by_viem = (act) => (at) => fate(act(at, viem_clients(at)), viem_error);
const PRICE = { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n };

const by_web3 = (act) => async (at) => {
  const web3 = new at.Web3(at.url);
  const contract = new web3.eth.Contract(at.probe.abi, at.address);
  return fate(act(at, web3, contract), (error) => ({ name: error.name, code: error.code, inner: error.cause?.errorName ?? error.data?.errorName ?? null }));
};

export const checks = {
  'ethers: call with reason': by_ethers((at, contract) => contract.failWithReason()),
  'ethers: call with error': by_ethers((at, contract) => contract.failWithError(11)),
  'ethers: call with panic': by_ethers((at, contract) => contract.failWithPanic(0)),
  'ethers: call out of bounds': by_ethers((at, contract) => contract.failInArray(3)),
  'ethers: call that fails silently': by_ethers((at, contract) => contract.failSilently()),
  'ethers: call of nobody': by_ethers((at) =>
    new at.ethers.Contract(at.accounts[8], at.probe.abi, at.provider).value()),
  'ethers: estimate with reason': by_ethers((at, contract) => contract.failWithReason.estimateGas()),
  'ethers: estimate with error': by_ethers((at, contract) => contract.failWithError.estimateGas(11)),
  'ethers: estimate of a call that burns all': by_ethers((at, contract, wallet) =>
    wallet.estimateGas({ to: at.address, data: at.call('burn') })),
  'ethers: no money': by_ethers((at, contract, wallet) =>
    wallet.sendTransaction({ ...FREE, to: at.accounts[0], value: 10n ** 30n, gasLimit: 21000 })),
  'ethers: no money, estimated': by_ethers((at, contract, wallet) =>
    wallet.sendTransaction({ type: 0, gasPrice: 10n ** 30n, to: at.accounts[0] })),
  'ethers: nonce too low': by_ethers(async (at, contract, wallet) => {
    await (await wallet.sendTransaction({ ...FREE, to: at.accounts[0], gasLimit: 21000 })).wait();
    await wallet.sendTransaction({ ...FREE, to: at.accounts[0], gasLimit: 21000, nonce: 0 });
  }),
  'ethers: underpriced replacement': by_ethers(async (at, contract, wallet) => {
    await at.rpc.send('evm_setAutomine', false);
    const priced = { to: at.accounts[0], gasLimit: 21000, nonce: 0, type: 2, maxPriorityFeePerGas: 10 ** 9 };
    await wallet.sendTransaction({ ...priced, maxFeePerGas: 2 * 10 ** 9 });
    await wallet.sendTransaction({ ...priced, maxFeePerGas: 2 * 10 ** 9, value: 1 });
  }),
  'ethers: receipt of a failed transaction': by_ethers(async (at, contract, wallet) => {
    const sent = await wallet.sendTransaction({ ...FREE, to: at.address, data: at.call('failWithReason'), gasLimit: 100_000 });
    await sent.wait();
  }),
  'ethers: unknown method': by_ethers((at) => at.provider.send('eth_noSuchMethod', [])),
  'viem: call with reason': by_viem(({ address, probe }, { reader }) =>
    reader.readContract({ address, abi: probe.abi, functionName: 'failWithReason' })),
  'viem: call with error': by_viem(({ address, probe }, { reader }) =>
    reader.readContract({ address, abi: probe.abi, functionName: 'failWithError', args: [11n] })),
  'viem: call with panic': by_viem(({ address, probe }, { reader }) =>
    reader.readContract({ address, abi: probe.abi, functionName: 'failWithPanic', args: [0n] })),
  'viem: simulation with error': by_viem(({ address, probe }, { reader, account }) =>
    reader.simulateContract({ account, address, abi: probe.abi, functionName: 'failWithError', args: [11n] })),
  'viem: write that reverts': by_viem(({ address, probe }, { writer }) =>
    writer.writeContract({ ...PRICE, address, abi: probe.abi, functionName: 'failWithReason' })),
  'viem: no money': by_viem(({ accounts }, { writer }) =>
    writer.sendTransaction({ ...PRICE, to: accounts[0], value: 10n ** 30n, gas: 21000n })),
  'viem: nonce too low': by_viem(async ({ accounts, rpc }, { writer }) => {
    const hash = await writer.sendTransaction({ ...PRICE, to: accounts[0], gas: 21000n });
    await rpc.send('eth_getTransactionReceipt', hash);
    await writer.sendTransaction({ ...PRICE, to: accounts[0], gas: 21000n, nonce: 0 });
  }),
  'viem: too little gas': by_viem(({ accounts }, { writer }) =>
    writer.sendTransaction({ ...PRICE, to: accounts[0], gas: 100n })),
  'viem: tip above the fee': by_viem(({ accounts, account }, { writer }) =>
    writer.sendTransaction({ to: accounts[0], gas: 21000n, maxFeePerGas: 1n, maxPriorityFeePerGas: 2n })),
  'viem: unknown method': by_viem((at, { reader }) => reader.request({ method: 'eth_noSuchMethod' })),
  'viem: no block': by_viem((at, { reader }) => reader.getBlock({ blockNumber: 999_999n })),
  'viem: no transaction': by_viem((at, { reader }) => reader.getTransaction({ hash: `0x${'cd'.repeat(32)}` })),
  'web3: call with reason': by_web3((at, web3, contract) => contract.methods.failWithReason().call()),
  'web3: call with error': by_web3((at, web3, contract) => contract.methods.failWithError(11).call()),
  'web3: send that reverts': by_web3(({ accounts: [from] }, web3, contract) =>
    contract.methods.failWithReason().send({ from, gas: '100000', maxFeePerGas: '0', maxPriorityFeePerGas: '0' })),
  'web3: estimate that reverts': by_web3(({ accounts: [from] }, web3, contract) => contract.methods.failWithReason().estimateGas({ from })),
};
