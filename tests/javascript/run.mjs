// From published orders to results: one task with arguments and input files, a bag of five, and
// a deal with a callback. 9.0.1 asks for enclaves.
const NO_TAG = `0x${'0'.repeat(64)}`;
// Stores the first word of the bytes that the hub hands to `receiveResult` under the task's id.
const CALLBACK = '0x67606435600435550060005260086018f3';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Every message of an observable up to its end. */
const all = (observable) =>
  new Promise((resolve, reject) => {
    const seen = [];
    observable.subscribe({
      next: (value) => seen.push(value),
      error: reject,
      complete: () => resolve(seen),
    });
  });

/** What the pool says of a task, once it has seen its deal. */
const history = async (user, task) => {
  for (;;) {
    try {
      return await user.task.fetchOffchainInfo(task);
    } catch (error) {
      if (!/API error/.test(error.message)) throw error;
      await pause(100);
    }
  }
};

export default async (world) => {
  const { as, key, tags, isOld, app, files, network, ethers } = world;
  const developer = as(key('developer'));
  const requester = as(key('requester'));
  const user = await requester.wallet.getAddress();

  const offer = await developer.order.createApporder({
    app,
    appprice: '1 nRLC',
    volume: 100,
    tag: tags,
  });
  await developer.order.publishApporder(await developer.order.signApporder(offer));

  const deal = async (terms) => {
    const { orders: apps } = await requester.orderbook.fetchAppOrderbook({
      app,
      requester: user,
    });
    const { orders: pools } = await requester.orderbook.fetchWorkerpoolOrderbook({
      category: 0,
      app,
      requester: user,
      workerpool: network.workerpool,
      ...(isOld ? { maxTag: NO_TAG } : { minTag: tags }),
    });
    const request = await requester.order.signRequestorder(
      await requester.order.createRequestorder({
        app,
        appmaxprice: apps[0].order.appprice,
        workerpool: network.workerpool,
        workerpoolmaxprice: pools[0].order.workerpoolprice,
        category: 0,
        trust: 1,
        volume: 1,
        tag: tags,
        ...terms,
      }),
    );
    return requester.order.matchOrders({
      apporder: apps[0].order,
      workerpoolorder: pools[0].order,
      requestorder: request,
    });
  };
  const tell = async ({ dealid }) => {
    const shown = await requester.deal.show(dealid);
    const told = { dealid, deal: shown, tasks: [] };
    told.messages = await all(await requester.deal.obsDeal(dealid));
    for (const id of shown.tasks) {
      const entry = { id };
      entry.history = await history(requester, id);
      entry.task = await requester.task.show(id);
      const response = await requester.task.fetchResults(id);
      const zip = Buffer.from(await response.arrayBuffer());
      entry.zip = zip.toString('base64');
      entry.logs = await requester.task.fetchLogs(id);
      entry.messages = await all(await requester.task.obsTask(id));
      told.tasks.push(entry);
    }
    return told;
  };

  const signer = new ethers.Wallet(
    key('requester'),
    new ethers.JsonRpcProvider(network.rpcUrl),
  );
  const sent = await signer.sendTransaction({ data: CALLBACK });
  const { contractAddress: callback } = await sent.wait();

  const single = await deal({
    params: { iexec_args: 'a "b c" é', iexec_input_files: files },
  });
  const bag = await deal({ volume: 5, params: { iexec_args: 'bag' } });
  const called = await deal({ callback, params: { iexec_args: 'call' } });
  const logsOfOthers = await world.refused(
    developer.task.fetchLogs((await developer.deal.show(single.dealid)).tasks[0]),
  );
  const told = {
    user,
    callback,
    logsOfOthers,
    single: await tell(single),
    bag: await tell(bag),
    called: {
      deal: await requester.deal.show(called.dealid),
      messages: await all(await requester.deal.obsDeal(called.dealid)),
    },
  };
  const mine = await requester.deal.fetchRequesterDeals(user, {
    appAddress: app,
  });
  told.mine = mine.deals.map(({ dealid }) => dealid);
  return told;
};
