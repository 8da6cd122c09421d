// JSON-RPC and HTTP themselves: envelopes, batches, ids, numbers, headers.
import { gzipSync } from 'node:zlib';
import { HEADERS, refusal } from './lib.mjs';

const request = (more) => ({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [], ...more });

/** An answer without the wording of its error. */
function plain(answer) {
  if (Array.isArray(answer)) return answer.map(plain);
  if (answer?.error === undefined) return answer;
  return { ...answer, error: refusal(answer.error) };
}

const answer = (body) => async ({ rpc }) => plain(await rpc.json(body));
const code = (method, ...params) => async ({ rpc }) => rpc.try(method, ...params);

export const checks = {
  'a request': answer(request()),
  'id as a string': answer(request({ id: 'abc' })),
  'id as null': answer(request({ id: null })),
  'a large id': answer(request({ id: 9007199254740991 })),
  'no params': answer({ jsonrpc: '2.0', id: 1, method: 'eth_chainId' }),
  'params null': answer(request({ params: null })),
  'unknown method': answer(request({ method: 'eth_noSuchMethod' })),
  'unknown namespace': answer(request({ method: 'foo_bar' })),
  'no method': answer({ jsonrpc: '2.0', id: 1 }),
  'method is a number': answer(request({ method: 7 })),
  'not JSON': answer('{'),
  'an empty body': answer(' '),
  'a number': answer('7'),
  'empty batch': answer([]),
  'batch of two': answer([request(), request({ id: 2, method: 'net_version' })]),
  'batch with an unknown method': answer([request(), request({ id: 2, method: 'eth_none' })]),
  'batch with bad params': answer([request({ method: 'eth_getBalance' }), request({ id: 5 })]),
  'batch with rubbish inside': answer([1, request({ id: 2 })]),
  'batch of 300': async ({ rpc }) => {
    const batch = Array.from({ length: 300 }, (_, id) => request({ id }));
    const answers = await rpc.json(batch);
    return answers.length === 300 && answers.every(({ id, result }, at) => id === at && result === '0x7a69');
  },
  'notifications in a batch have no answer': async ({ rpc }) => {
    const note = { jsonrpc: '2.0', method: 'eth_chainId', params: [] };
    const answers = await rpc.json([note, request({ id: 2 }), note]);
    return answers.map(({ id }) => id);
  },
  'a batch sends and reads in order': async ({ rpc, accounts: [from, to] }) => {
    const before = BigInt(await rpc.send('eth_getBalance', to));
    const send = { from, to, value: '0x5', gas: '0x5208', gasPrice: '0x0' };
    const answers = await rpc.json([
      request({ method: 'eth_sendTransaction', params: [send] }),
      request({ id: 2, method: 'eth_blockNumber' }),
    ]);
    const after = BigInt(await rpc.send('eth_getBalance', to));
    return [answers.map(({ id }) => id), after - before];
  },
  'status and type of an answer': async ({ rpc }) => {
    const { status, type } = await rpc.post(JSON.stringify(request()));
    return { status, type };
  },
  'status of an error': async ({ rpc }) => {
    const { status, type } = await rpc.post(JSON.stringify(request({ method: 'nope' })));
    return { status, type };
  },
  'content type with a charset': async ({ rpc }) => {
    const headers = { ...HEADERS, 'content-type': 'application/json; charset=utf-8' };
    return (await rpc.post(JSON.stringify(request()), headers)).status;
  },
  'an answer a client could inflate': async ({ rpc }) => {
    const headers = { ...HEADERS, 'accept-encoding': 'gzip, deflate, br' };
    return JSON.parse((await rpc.post(JSON.stringify(request()), headers)).text).result;
  },
  'a compressed request is refused, not misread': async ({ rpc }) => {
    const headers = { ...HEADERS, 'content-encoding': 'gzip' };
    const { status, text } = await rpc.post(gzipSync(JSON.stringify(request())), headers);
    return status >= 400 || JSON.parse(text).error !== undefined;
  },
  'browsers may ask': async ({ url }) => {
    const headers = {
      origin: 'http://wallet.example', 'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    };
    const answer = await fetch(url, { method: 'OPTIONS', headers });
    const allowed = (answer.headers.get('access-control-allow-headers') ?? '').toLowerCase();
    return [
      answer.ok,
      ['*', 'http://wallet.example'].includes(answer.headers.get('access-control-allow-origin')),
      allowed.includes('content-type') || allowed === '*',
    ];
  },
  'browsers may read the answer': async ({ url }) => {
    const headers = { ...HEADERS, origin: 'http://wallet.example' };
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(request()) });
    return ['*', 'http://wallet.example'].includes(answer.headers.get('access-control-allow-origin'));
  },
  'a body of a megabyte': async ({ rpc }) => {
    const data = `0x${'00'.repeat(500_000)}`;
    return (await rpc.send('web3_sha3', data)).length;
  },
  'other verbs are refused': async ({ url }) => {
    const statuses = ['PUT', 'DELETE', 'PATCH'].map(async (method) => (await fetch(url, { method })).status);
    return (await Promise.all(statuses)).every((status) => status >= 400 && status < 500);
  },
  'address too short': code('eth_getBalance', '0x12', 'latest'),
  'address without prefix': code('eth_getCode', 'f39fd6e51aad88f6f4ce6ab8827279cfffb92266', 'latest'),
  'address with a letter too many': code('eth_getBalance', '0xzz9fd6e51aad88f6f4ce6ab8827279cfffb92266', 'latest'),
  'missing argument': code('eth_getBalance'),
  'unknown block tag': code('eth_getBlockByNumber', 'newest', false),
  'block number with leading zeros': code('eth_getBlockByNumber', '0x00', false),
  'block number as a number': async ({ rpc }) => {
    const block = await rpc.try('eth_getBlockByNumber', 1, false);
    return block.number ?? block;
  },
  'block number in the future': code('eth_getBlockByNumber', '0xffffff', false),
  'hash too short': code('eth_getTransactionByHash', '0x1234'),
  'full is not a boolean': code('eth_getBlockByNumber', 'latest', 'yes'),
  'wrong type of filter': code('eth_getLogs', 'all'),
  'call without object': code('eth_call', 'x', 'latest'),
  'call with odd data': code('eth_call', { to: `0x${'11'.repeat(20)}`, data: '0x123' }, 'latest'),
  'raw transaction of rubbish': code('eth_sendRawTransaction', '0x1234'),
  'raw transaction empty': code('eth_sendRawTransaction', '0x'),
  'sha3': code('web3_sha3', '0x68656c6c6f'),
};
