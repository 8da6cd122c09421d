// Everything that goes to the secret manager, and the login to the result proxy of 8.24.
import { generateKeyPairSync, randomUUID } from 'node:crypto';

const deployDataset = async (developer, checksum) => {
  const { address } = await developer.dataset.deployDataset({
    owner: await developer.wallet.getAddress(),
    name: randomUUID(),
    multiaddr: '/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ',
    checksum,
  });
  return address;
};

export default async ({ as, key, ethers, isOld, refused, app }) => {
  const developer = as(key('developer'));
  const user = as(ethers.Wallet.createRandom().privateKey);
  const stranger = as(ethers.Wallet.createRandom().privateKey);
  const address = await user.wallet.getAddress();

  const aes = developer.dataset.generateEncryptionKey();
  const encrypted = await developer.dataset.encrypt(Buffer.from('a secret'), aes);
  const checksum =
    await developer.dataset.computeEncryptedFileChecksum(encrypted);
  const dataset = await deployDataset(developer, checksum);
  const datasetBefore = await developer.dataset.checkDatasetSecretExists(dataset);
  const notOwner = await refused(
    stranger.dataset.pushDatasetSecret(dataset, aes),
  );
  const datasetPushed = await developer.dataset.pushDatasetSecret(dataset, aes);
  const datasetAgain = await refused(
    developer.dataset.pushDatasetSecret(dataset, aes),
  );

  const appBefore = await developer.app.checkAppSecretExists(app);
  const appPushed = await developer.app.pushAppSecret(app, 'of the app');
  const appAgain = await refused(developer.app.pushAppSecret(app, 'another'));

  const before = await user.secrets.checkRequesterSecretExists(address, 'One-1');
  const pushed = await user.secrets.pushRequesterSecret('One-1', 'mine');
  const again = await refused(user.secrets.pushRequesterSecret('One-1', 'new'));
  const after = await stranger.secrets.checkRequesterSecretExists(
    address,
    'One-1',
  );
  const unnamed = await refused(user.secrets.pushRequesterSecret('a.b', 'x'));

  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 4096 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const keyBefore = await user.result.checkResultEncryptionKeyExists(address);
  const keyPushed = await user.result.pushResultEncryptionKey(pem);
  const keyAgain = await refused(user.result.pushResultEncryptionKey(pem));
  const keyUpdated = await user.result.pushResultEncryptionKey(pem, {
    forceUpdate: true,
  });

  const provider = isOld ? { provider: 'dropbox' } : 'dropbox';
  const { storage } = user;
  const tokenBefore = await storage.checkStorageTokenExists(address, provider);
  const tokenPushed = await storage.pushStorageToken('a token', provider);
  const tokenAfter = await storage.checkStorageTokenExists(address, provider);

  const login = {};
  if (isOld) {
    login.token = await user.storage.defaultStorageLogin();
    login.pushed = await user.storage.pushStorageToken(login.token);
    login.isThere = await user.storage.checkStorageTokenExists(address);
  }
  return {
    address,
    pem,
    aes,
    encrypted: encrypted.toString('base64'),
    checksum,
    dataset,
    datasetBefore,
    notOwner,
    datasetPushed,
    datasetAgain,
    appBefore,
    appPushed,
    appAgain,
    before,
    pushed,
    again,
    after,
    unnamed,
    keyBefore,
    keyPushed,
    keyAgain,
    keyUpdated,
    tokenBefore,
    tokenPushed,
    tokenAfter,
    login,
  };
};
