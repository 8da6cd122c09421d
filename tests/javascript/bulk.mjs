// A bulk of datasets: their orders go to our IPFS node and are read back through our gateway.
import { randomUUID } from 'node:crypto';

export default async ({ as, key, app, tags, utils }) => {
  const developer = as(key('developer'));
  const requester = as(key('requester'));
  const owner = await developer.wallet.getAddress();
  const signed = [];
  for (let number = 0; number < 3; number += 1) {
    const { address: dataset } = await developer.dataset.deployDataset({
      owner,
      name: randomUUID(),
      multiaddr: '/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ',
      checksum: `0x${'78'.repeat(32)}`,
    });
    const aes = developer.dataset.generateEncryptionKey();
    await developer.dataset.pushDatasetSecret(dataset, aes);
    const template = await developer.order.createDatasetorder({
      dataset,
      volume: utils.DATASET_INFINITE_VOLUME,
      apprestrict: app,
      tag: tags,
    });
    signed.push(await developer.order.signDatasetorder(template));
  }
  await developer.order.publishDatasetorder(signed[0]);
  const { dataset } = signed[0];
  const book = (options) =>
    requester.orderbook.fetchDatasetOrderbook({ dataset, app, ...options });
  const { orders } = await book({ bulkOnly: true });

  const bulk = await requester.order.prepareDatasetBulk(signed, {
    maxDatasetPerTask: 2,
  });
  const request = await requester.order.signRequestorder(
    await requester.order.createRequestorder({
      app,
      category: 0,
      volume: bulk.volume,
      tag: tags,
      params: { bulk_cid: bulk.cid },
    }),
  );
  return { signed, listed: orders, bulk, request };
};
