// Subscriptions over a WebSocket, bare and by the libraries.
import { hex, refusal, shape, sleep, until } from './lib.mjs';

/** Long enough for whatever a node sends at once; only used to see that nothing comes. */
const QUIET_MS = 150;

/** Stops nothing: ethers' sockets fail when they are stopped and then destroyed. */
const STAY = async () => {};

/** A bare connection: `send` asks, `news` collects what subscriptions report. */
async function connect({ ws, WebSocket }) {
  const socket = new WebSocket(ws);
  const [waiting, news] = [new Map(), []];
  socket.on('message', (text) => {
    const message = JSON.parse(text);
    if (message.method === 'eth_subscription') news.push(message.params);
    else waiting.get(message.id ?? 'none')?.(message);
  });
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  let last = 0;
  const exchange = (body, id) => new Promise((resolve) => {
    waiting.set(id, resolve);
    socket.send(typeof body === 'string' ? body : JSON.stringify(body));
  });
  const send = async (method, ...params) => {
    const id = (last += 1);
    const { result, error } = await exchange({ jsonrpc: '2.0', id, method, params }, id);
    return error ? refusal(error) : result;
  };
  const told = (id) => news.filter(({ subscription }) => subscription === id).map(({ result }) => result);
  return { send, exchange, told, socket, close: () => socket.terminate() };
}

const bare = (act) => async (at) => {
  const socket = await connect(at);
  try {
    return await act(at, socket);
  } finally {
    socket.close();
  }
};

const store = (at, value) => at.rpc.mined('eth_sendTransaction',
  { from: at.accounts[0], to: at.address, data: at.call('store', value), gas: '0x100000' });
const several = (told, count) => until(() => told().length >= count && told());

/** Collects what `listen` reports while three values are stored; stops when there are three. */
async function three(at, listen) {
  const seen = [];
  const stop = await listen((item) => seen.push(item));
  for (const value of [1, 2, 3]) await store(at, value);
  await until(() => seen.length >= 3);
  await stop();
  return seen.slice(0, 3);
}

/** Numbers relative to the first. */
const sorted = (numbers) => numbers.toSorted((a, b) => Number(a) - Number(b));
const steps = (numbers) => numbers.map((number) => Number(number) - Number(numbers[0]));

async function by_ethers(at, act) {
  const provider = new at.ethers.WebSocketProvider(at.ws);
  try {
    return await act(provider);
  } finally {
    await provider.destroy();
  }
}

async function by_viem(at, act) {
  const transport = at.viem.webSocket(at.ws, { retryCount: 0 });
  const client = at.viem.createPublicClient({ chain: at.viem.chains.foundry, transport });
  try {
    return await act(client);
  } finally {
    (await client.transport.getRpcClient()).close();
  }
}

async function by_web3(at, act) {
  const web3 = new at.Web3(at.ws);
  try {
    return await act(web3);
  } finally {
    web3.provider.disconnect();
  }
}

export const checks = {
  'requests': bare((at, { send }) => send('eth_chainId')),
  'a batch': bare(async (at, { exchange, socket }) => {
    const batch = [1, 2].map((id) => ({ jsonrpc: '2.0', id, method: 'eth_chainId', params: [] }));
    const answer = new Promise((resolve) => socket.once('message', (text) => resolve(JSON.parse(text))));
    socket.send(JSON.stringify(batch));
    return (await answer).map(({ id, result }) => [id, result]);
  }),
  'rubbish is answered': bare(async (at, { socket }) => {
    const answer = new Promise((resolve) => socket.once('message', (text) => resolve(JSON.parse(text))));
    socket.send('{');
    return typeof (await answer).error.code;
  }),
  'the connection outlives rubbish': bare(async (at, { socket, send }) => {
    socket.send('{');
    return send('eth_chainId');
  }),
  'new heads': bare(async (at, { send, told }) => {
    const id = await send('eth_subscribe', 'newHeads');
    const { blockNumber, blockHash } = await store(at, 1);
    const [head] = await several(() => told(id), 1);
    return [head.number === blockNumber, head.hash === blockHash, Object.keys(head).filter((key) => /number|parentHash|logsBloom|gasUsed|baseFeePerGas|timestamp/i.test(key)).sort()];
  }),
  'new heads of mined blocks': bare(async (at, { send, told }) => {
    const id = await send('eth_subscribe', 'newHeads');
    await at.rpc.send('anvil_mine', '0x3', '0x0');
    return steps((await several(() => told(id), 3)).map(({ number }) => number));
  }),
  'logs': bare(async (at, { send, told }) => {
    const id = await send('eth_subscribe', 'logs', { address: at.address });
    await store(at, 77);
    return shape(await several(() => told(id), 1));
  }),
  'logs of a topic': bare(async (at, { send, told }) => {
    const wanted = `0x${'0'.repeat(62)}03`;
    const id = await send('eth_subscribe', 'logs', { topics: [null, null, wanted] });
    for (const value of [1, 2, 3]) await store(at, value);
    const found = await several(() => told(id), 1);
    await sleep(QUIET_MS);
    return found.map(({ topics }) => topics[2]);
  }),
  'logs of everything': bare(async (at, { send, told }) => {
    const id = await send('eth_subscribe', 'logs', {});
    await store(at, 1);
    return (await several(() => told(id), 1)).length;
  }),
  'transactions': bare(async (at, { send, told }) => {
    const id = await send('eth_subscribe', 'newPendingTransactions');
    const { transactionHash } = await store(at, 1);
    return (await several(() => told(id), 1))[0] === transactionHash;
  }),
  'transactions in full': bare(async (at, { send, told }) => {
    const id = await send('eth_subscribe', 'newPendingTransactions', true);
    const { transactionHash } = await store(at, 1);
    const [found] = await several(() => told(id), 1);
    return [found.hash === transactionHash, found.to];
  }),
  'transactions that wait': bare(async (at, { send, told }) => {
    await at.rpc.send('evm_setAutomine', false);
    const id = await send('eth_subscribe', 'newPendingTransactions');
    const { accounts: [from, to] } = at;
    const hash = await at.rpc.send('eth_sendTransaction', { from, to, gas: '0x5208' });
    return (await several(() => told(id), 1))[0] === hash;
  }),
  'no such topic': bare(async (at, { send }) => typeof (await send('eth_subscribe', 'nothing')).code),
  'unsubscribe': bare(async (at, { send, told }) => {
    const id = await send('eth_subscribe', 'newHeads');
    const answers = [await send('eth_unsubscribe', id), await send('eth_unsubscribe', id)];
    await at.rpc.send('evm_mine');
    await sleep(QUIET_MS);
    return [...answers, told(id).length];
  }),
  'two subscriptions': bare(async (at, { send, told }) => {
    const [one, two] = [await send('eth_subscribe', 'newHeads'), await send('eth_subscribe', 'newHeads')];
    await at.rpc.send('evm_mine');
    await several(() => told(two), 1);
    return [one !== two, told(one).length, told(two).length];
  }),
  'subscriptions are of one connection': async (at) => {
    const [one, two] = [await connect(at), await connect(at)];
    await one.send('eth_subscribe', 'newHeads');
    await at.rpc.send('evm_mine');
    await sleep(QUIET_MS);
    const heard = two.told('0x1').length;
    one.close();
    two.close();
    return heard;
  },
  'after a reconnection': async (at) => {
    const one = await connect(at);
    await one.send('eth_subscribe', 'newHeads');
    one.close();
    const two = await connect(at);
    const id = await two.send('eth_subscribe', 'newHeads');
    await at.rpc.send('evm_mine');
    const heard = (await several(() => two.told(id), 1)).length;
    two.close();
    return heard;
  },
  'subscribing over HTTP': async ({ rpc }) => 'code' in await rpc.try('eth_subscribe', 'newHeads'),
  'ethers: blocks': (at) => by_ethers(at, async (provider) => steps(await three(at, async (tell) => {
    await provider.on('block', tell);
    await sleep(QUIET_MS);
    return STAY;
  }))),
  'ethers: blocks, polled': async (at) => steps(await three(at, async (tell) => {
    // The first poll only finds out where the chain is.
    const start = await at.provider.getBlockNumber();
    const listen = (number) => number > start && tell(number);
    await at.provider.on('block', listen);
    await sleep(QUIET_MS);
    return () => at.provider.off('block', listen);
  })),
  'ethers: contract events': (at) => by_ethers(at, async (provider) => {
    const contract = new at.ethers.Contract(at.address, at.probe.abi, provider);
    return three(at, async (tell) => {
      await contract.on('Stored', (by, value, note) => tell([by, value, note]));
      await sleep(QUIET_MS);
      return STAY;
    });
  }),
  'ethers: filtered events': (at) => by_ethers(at, async (provider) => {
    const contract = new at.ethers.Contract(at.address, at.probe.abi, provider);
    const seen = [];
    await contract.on(contract.filters.Stored(null, 2), ({ args }) => seen.push(args[1]));
    await sleep(QUIET_MS);
    for (const value of [1, 2, 3]) await store(at, value);
    await until(() => seen.length > 0);
    return seen;
  }),
  'ethers: pending transactions': (at) => by_ethers(at, async (provider) => {
    const seen = [];
    await provider.on('pending', (hash) => seen.push(hash));
    await sleep(QUIET_MS);
    const { transactionHash } = await store(at, 1);
    await until(() => seen.length > 0);
    return seen[0] === transactionHash;
  }),
  'ethers: wait for confirmations': async (at) => {
    const wallet = new at.ethers.Wallet(at.wallets[7].privateKey, at.provider);
    const sent = await wallet.sendTransaction({ to: at.accounts[0], value: 1, maxFeePerGas: 0, maxPriorityFeePerGas: 0 });
    const receipt = sent.wait(3);
    await sent.wait(1);
    await sleep(QUIET_MS);
    await at.rpc.send('anvil_mine', '0x2', '0x0');
    return (await receipt).status;
  },
  'viem: blocks': (at) => by_viem(at, async (client) => steps(await (three(at, async (tell) => {
    // Each head is followed by a question for its block, and answers may overtake each other.
    const stop = client.watchBlocks({ onBlock: ({ number }) => tell(number) });
    await sleep(QUIET_MS);
    return stop;
  })).then(sorted))),
  'viem: contract events': (at) => by_viem(at, (client) => three(at, async (tell) => {
    const stop = client.watchContractEvent({
      address: at.address, abi: at.probe.abi, eventName: 'Stored',
      onLogs: (logs) => logs.forEach(({ args }) => tell(args)),
    });
    await sleep(QUIET_MS);
    return stop;
  })),
  'viem: contract events, polled': async (at) => {
    const transport = at.viem.http(at.url);
    const client = at.viem.createPublicClient({ chain: at.viem.chains.foundry, transport, pollingInterval: 30 });
    return three(at, async (tell) => {
      const stop = client.watchContractEvent({
        address: at.address, abi: at.probe.abi, eventName: 'Stored',
        onLogs: (logs) => logs.forEach(({ args }) => tell(args)),
      });
      await sleep(QUIET_MS);
      return stop;
    });
  },
  'viem: pending transactions': (at) => by_viem(at, async (client) => {
    const seen = [];
    const stop = client.watchPendingTransactions({ onTransactions: (hashes) => seen.push(...hashes) });
    await sleep(QUIET_MS);
    const { transactionHash } = await store(at, 1);
    await until(() => seen.length > 0);
    stop();
    return seen[0] === transactionHash;
  }),
  'web3: heads': (at) => by_web3(at, async (web3) => steps(await three(at, async (tell) => {
    const subscription = await web3.eth.subscribe('newBlockHeaders');
    subscription.on('data', ({ number }) => tell(number));
    return () => subscription.unsubscribe();
  }))),
  'web3: logs': (at) => by_web3(at, async (web3) => (await three(at, async (tell) => {
    const subscription = await web3.eth.subscribe('logs', { address: at.address });
    subscription.on('data', ({ topics }) => tell(topics[2]));
    return () => subscription.unsubscribe();
  }))),
  'web3: contract events': (at) => by_web3(at, async (web3) => {
    const contract = new web3.eth.Contract(at.probe.abi, at.address);
    return three(at, async (tell) => {
      const events = contract.events.Stored();
      await new Promise((resolve) => events.on('connected', resolve));
      events.on('data', ({ returnValues }) => tell(returnValues.value));
      return STAY;
    });
  }),
};
