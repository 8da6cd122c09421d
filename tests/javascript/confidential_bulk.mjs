// A bulk of confidential datasets from its parts to the results of its tasks.
import { encryptedDataset, end } from './confidential.mjs';

export default async (world) => {
  const { as, key, tags, app, network, utils, contents } = world;
  const developer = as(key('developer'));
  const requester = as(key('requester'));

  const orders = [];
  for (const content of contents) {
    const template = await developer.order.createDatasetorder({
      dataset: await encryptedDataset(world, developer, content),
      volume: utils.DATASET_INFINITE_VOLUME,
      apprestrict: app,
      tag: tags,
    });
    orders.push(await developer.order.signDatasetorder(template));
  }
  const bulk = await requester.order.prepareDatasetBulk(orders, {
    maxDatasetPerTask: 2,
  });

  const offer = await developer.order.createApporder({ app, volume: 10, tag: tags });
  const apporder = await developer.order.signApporder(offer);
  const { orders: pools } = await requester.orderbook.fetchWorkerpoolOrderbook({
    category: 0,
    app,
    workerpool: network.workerpool,
    minTag: tags,
  });
  const requestorder = await requester.order.signRequestorder(
    await requester.order.createRequestorder({
      app,
      workerpool: network.workerpool,
      category: 0,
      volume: bulk.volume,
      tag: tags,
      params: { bulk_cid: bulk.cid },
    }),
  );
  const { dealid } = await requester.order.matchOrders({
    apporder,
    workerpoolorder: pools[0].order,
    requestorder,
  });
  const { tasks } = await requester.deal.show(dealid);
  const results = [];
  for (const task of Object.values(tasks)) {
    await end(await requester.task.obsTask(task, { dealid }));
    const response = await requester.task.fetchResults(task);
    results.push(Buffer.from(await response.arrayBuffer()).toString('base64'));
  }
  return { tasks: Object.values(tasks), results };
};
