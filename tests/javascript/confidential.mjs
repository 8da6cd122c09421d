// A confidential task from its parts to its result: an encrypted dataset, a secret of the
// requester, one of the app's developer, and a result that only its beneficiary can open.
import { generateKeyPairSync, randomUUID } from 'node:crypto';

/** Puts bytes on the network's IPFS node. */
const add = async (node, bytes) => {
  const form = new FormData();
  form.append('file', new Blob([bytes]), 'data');
  const answer = await fetch(new URL('/api/v0/add?cid-version=0', node), {
    method: 'POST',
    body: form,
  });
  if (!answer.ok) throw new Error(`add: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).Hash;
};

/** An encrypted dataset whose key is with the secret manager. */
export const encryptedDataset = async ({ network }, developer, content) => {
  const aes = developer.dataset.generateEncryptionKey();
  const encrypted = await developer.dataset.encrypt(Buffer.from(content), aes);
  const cid = await add(network.ipfsNode, encrypted);
  const { address } = await developer.dataset.deployDataset({
    owner: await developer.wallet.getAddress(),
    name: randomUUID(),
    multiaddr: `/ipfs/${cid}`,
    checksum: await developer.dataset.computeEncryptedFileChecksum(encrypted),
  });
  await developer.dataset.pushDatasetSecret(address, aes);
  return address;
};

const confidentialDataset = async (world, developer, app, content) => {
  const address = await encryptedDataset(world, developer, content);
  const offer = await developer.order.createDatasetorder({
    dataset: address,
    datasetprice: '2 nRLC',
    volume: 10,
    tag: world.tags,
    apprestrict: app,
  });
  const datasetorder = await developer.order.signDatasetorder(offer);
  await developer.order.publishDatasetorder(datasetorder);
  return address;
};

/** The end of an observable, or its error. */
export const end = (observable) =>
  new Promise((resolve, reject) => {
    observable.subscribe({ error: reject, complete: resolve });
  });

export default async (world) => {
  const { as, key, tags, app, network, utils, content, secrets } = world;
  const developer = as(key('developer'));
  const requester = as(key('requester'));
  const user = await requester.wallet.getAddress();

  const dataset = await confidentialDataset(world, developer, app, content);
  await developer.app.pushAppSecret(app, secrets.developer);
  await requester.secrets.pushRequesterSecret('first', secrets.first);
  await requester.secrets.pushRequesterSecret('second', secrets.second);
  const pair = generateKeyPairSync('rsa', {
    modulusLength: 4096,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await requester.result.pushResultEncryptionKey(pair.publicKey, {
    forceUpdate: true,
  });

  const offer = await developer.order.createApporder({
    app,
    appprice: '1 nRLC',
    volume: 10,
    tag: tags,
  });
  await developer.order.publishApporder(await developer.order.signApporder(offer));

  const { orders: apps } = await requester.orderbook.fetchAppOrderbook({
    app,
    requester: user,
  });
  const { orders: datasets } = await requester.orderbook.fetchDatasetOrderbook({
    dataset,
    app,
    requester: user,
  });
  const { orders: pools } = await requester.orderbook.fetchWorkerpoolOrderbook({
    category: 0,
    app,
    dataset,
    requester: user,
    workerpool: network.workerpool,
    minTag: tags,
  });
  const requestorder = await requester.order.signRequestorder(
    await requester.order.createRequestorder({
      app,
      appmaxprice: apps[0].order.appprice,
      dataset,
      datasetmaxprice: datasets[0].order.datasetprice,
      workerpool: network.workerpool,
      workerpoolmaxprice: pools[0].order.workerpoolprice,
      category: 0,
      trust: 1,
      volume: 1,
      tag: tags,
      params: {
        iexec_args: 'open sesame',
        iexec_secrets: { 1: 'first', 7: 'second' },
        iexec_result_encryption: true,
      },
    }),
  );
  const { dealid } = await requester.order.matchOrders({
    apporder: apps[0].order,
    datasetorder: datasets[0].order,
    workerpoolorder: pools[0].order,
    requestorder,
  });
  const [task] = (await requester.deal.show(dealid)).tasks;
  await end(await requester.task.obsTask(task, { dealid }));
  const response = await requester.task.fetchResults(task);
  const encrypted = Buffer.from(await response.arrayBuffer());
  const opened = await utils.decryptResult(encrypted, pair.privateKey);
  return {
    dataset,
    dealid,
    task,
    encrypted: encrypted.toString('base64'),
    opened: Buffer.from(opened).toString('base64'),
    privateKey: pair.privateKey,
  };
};
