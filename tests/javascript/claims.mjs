// Deals whose tasks nobody ends: the workerpool is the developer's own and has no scheduler.
// Category 5 of the local network can be claimed after ten seconds.
import { randomUUID } from 'node:crypto';

const HUB = ['function initialize(bytes32, uint256) returns (bytes32)'];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export default async ({ as, key, app, tags, ethers, network, refused }) => {
  const developer = as(key('developer'));
  const requester = as(key('requester'));
  const user = await requester.wallet.getAddress();
  const owner = await developer.wallet.getAddress();
  const { address: workerpool } = await developer.workerpool.deployWorkerpool({
    owner,
    description: randomUUID(),
  });
  const before = await requester.account.checkBalance(user);

  const deal = async (volume) => {
    const terms = { category: 5, trust: 1, tag: tags, volume };
    const apporder = await developer.order.signApporder(
      await developer.order.createApporder({ app, appprice: 7, ...terms }),
    );
    const workerpoolorder = await developer.order.signWorkerpoolorder(
      await developer.order.createWorkerpoolorder({
        workerpool,
        workerpoolprice: 100,
        ...terms,
      }),
    );
    const requestorder = await requester.order.signRequestorder(
      await requester.order.createRequestorder({
        app,
        appmaxprice: 7,
        workerpoolmaxprice: 100,
        ...terms,
      }),
    );
    return requester.order.matchOrders({
      apporder,
      workerpoolorder,
      requestorder,
    });
  };

  const three = await deal(3);
  const one = await deal(1);
  const locked = await requester.account.checkBalance(user);
  const tooEarly = await refused(requester.deal.claim(three.dealid));
  const [single] = (await requester.deal.show(one.dealid)).tasks;
  const unknown = await refused(requester.task.claim(single));

  const signer = new ethers.Wallet(
    key('faucet'),
    new ethers.JsonRpcProvider(network.rpcUrl),
  );
  const hub = new ethers.Contract(network.hub, HUB, signer);
  for (const [id, index] of [[three.dealid, 1], [one.dealid, 0]]) {
    await (await hub.initialize(id, index)).wait();
    await pause(300);
  }
  const active = await requester.task.show(single);

  for (;;) {
    const { deadlineReached } = await requester.deal.show(one.dealid);
    if (deadlineReached) break;
    await pause(200);
  }
  const claimed = await requester.deal.claim(three.dealid);
  const transaction = await requester.task.claim(single);
  return {
    three,
    one,
    single,
    locked,
    before,
    tooEarly,
    unknown,
    active,
    claimed,
    transaction,
    again: await refused(requester.task.claim(single)),
    twice: await refused(requester.deal.claim(three.dealid)),
    failed: await requester.task.show(single),
    after: await requester.account.checkBalance(user),
  };
};
