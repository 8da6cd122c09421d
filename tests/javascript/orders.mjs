// The four kinds of orders, from a template to a match and a cancellation, each owner with its
// own key: the app, the dataset and the workerpool belong to the developer.
import { randomUUID } from 'node:crypto';

const deploy = async (developer) => {
  const owner = await developer.wallet.getAddress();
  const name = randomUUID();
  const checksum = `0x${'56'.repeat(32)}`;
  const multiaddr = 'docker.io/hello:1.0.0';
  const { app, dataset, workerpool } = developer;
  return {
    app: await app.deployApp({ owner, name, type: 'DOCKER', multiaddr, checksum }),
    dataset: await dataset.deployDataset({ owner, name, multiaddr, checksum }),
    workerpool: await workerpool.deployWorkerpool({ owner, description: name }),
  };
};

export default async ({ as, key, tags, isOld, refused, ethers }) => {
  const developer = as(key('developer'));
  const requester = as(key('requester'));
  const deployed = await deploy(developer);
  const [app, dataset, workerpool] = ['app', 'dataset', 'workerpool'].map(
    (kind) => deployed[kind].address,
  );
  const aes = developer.dataset.generateEncryptionKey();
  await developer.dataset.pushDatasetSecret(dataset, aes);

  const order = { app: developer, dataset: developer, workerpool: developer };
  order.request = requester;
  const terms = {
    app: { app, appprice: '3', volume: 10, tag: tags },
    dataset: { dataset, datasetprice: '2 nRLC', volume: 10, tag: tags },
    workerpool: {
      workerpool,
      workerpoolprice: '10',
      volume: 4,
      category: 2,
      trust: 1,
      tag: tags,
    },
    request: {
      app,
      appmaxprice: '3',
      dataset,
      datasetmaxprice: '2',
      workerpool,
      workerpoolmaxprice: '10',
      volume: 7,
      category: 2,
      trust: 1,
      tag: tags,
      params: { iexec_args: 'né €' },
    },
  };
  const signed = {};
  const told = { deployed };
  for (const kind of ['app', 'dataset', 'workerpool', 'request']) {
    const { order: orders, orderbook } = order[kind];
    const Kind = kind[0].toUpperCase() + kind.slice(1);
    const template = await orders[`create${Kind}order`](terms[kind]);
    signed[kind] = await orders[`sign${Kind}order`](template);
    const hash = await orders[`hash${Kind}order`](signed[kind]);
    const published = await orders[`publish${Kind}order`](signed[kind]);
    const again = await refused(orders[`publish${Kind}order`](signed[kind]));
    const found = await orderbook[`fetch${Kind}order`](hash);
    told[kind] = { signed: signed[kind], hash, published, again, found };
  }
  // The market takes an order from its signer only.
  const thief = as(ethers.Wallet.createRandom().privateKey);
  told.theft = await refused(thief.order.unpublishApporder(told.app.hash));

  const orders = {
    apporder: signed.app,
    datasetorder: signed.dataset,
    workerpoolorder: signed.workerpool,
    requestorder: signed.request,
  };
  told.estimate = await requester.order.estimateMatchOrders(orders);
  told.match = await requester.order.matchOrders(orders);
  told.deal = await requester.deal.show(told.match.dealid);
  told.full = await refused(requester.order.matchOrders(orders));

  // The request first: it dies with the app order it needs.
  told.unpublished = {
    request: await requester.order.unpublishAllRequestorders(),
    app: await developer.order.unpublishApporder(told.app.hash),
    dataset: await developer.order.unpublishLastDatasetorder(dataset),
  };
  told.unpublishedTwice = await refused(
    developer.order.unpublishApporder(told.app.hash),
  );
  told.canceled = {
    app: await developer.order.cancelApporder(signed.app),
    dataset: await developer.order.cancelDatasetorder(signed.dataset),
    request: await requester.order.cancelRequestorder(signed.request),
  };
  const left = await developer.order.signWorkerpoolorder(
    await developer.order.createWorkerpoolorder(terms.workerpool),
  );
  told.canceled.workerpool = await developer.order.cancelWorkerpoolorder(left);
  told.canceledTwice = await refused(
    developer.order.cancelApporder(signed.app),
  );
  if (isOld) {
    told.voucher = await refused(
      requester.order.matchOrders(orders, { useVoucher: true }),
    );
    told.ens = await refused(requester.app.showApp('some.name.eth'));
  }
  return told;
};
