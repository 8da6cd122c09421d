// Runs one story with one version of the official library:
//   node kit.mjs <story> <JSON>
// The JSON tells where the library and the network are; what the story returns is printed as
// one line of JSON.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [story, text] = process.argv.slice(2);
const world = JSON.parse(text);
const load = (path) => import(pathToFileURL(join(world.library, path)));

const { IExec, utils } = await load('dist/esm/lib/index.js');
world.utils = utils;
world.ethers = createRequire(join(world.library, 'package.json'))('ethers');
world.isOld = world.version.startsWith('8.');
// 9.0.1 adds these two tags to every order; 8.24.0 takes what it is given.
world.tags = world.isOld ? [] : ['tee', 'tdx'];

/** The library in the hands of the owner of a key. */
world.as = (key) => {
  const { network } = world;
  return new IExec(
    { ethProvider: utils.getSignerFromPrivateKey(network.rpcUrl, key) },
    {
      hubAddress: network.hub,
      smsURL: network.sms,
      resultProxyURL: network.resultProxy,
      iexecGatewayURL: network.market,
      ipfsGatewayURL: network.ipfsGateway,
      ipfsNodeURL: network.ipfsNode,
      compassURL: network.compass,
    },
  );
};

/** The key of the first account with a role. */
world.key = (role) =>
  world.network.accounts.find((account) => account.role === role).privateKey;

/** The message of the error that must come. */
world.refused = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return [error.message, error.errorCause?.message ?? error.cause?.message]
      .filter(Boolean)
      .join(': ');
  }
  throw new Error('it was not refused');
};

// Big numbers as decimal text; BN's own toJSON, which ran before, gives bare hexadecimal.
function plain(name, value) {
  const big = this[name];
  return typeof big === 'bigint' || utils.BN.isBN(big) ? big.toString() : value;
}
const { default: play } = await import(`./${story}.mjs`);
console.log(JSON.stringify(await play(world), plain));
process.exit(0);
