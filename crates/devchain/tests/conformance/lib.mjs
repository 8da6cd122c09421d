// What every check uses: a bare JSON-RPC client, a way to make answers of two nodes comparable.

/** Tells our node that this client counts nonces; means nothing to others. */
export const HEADERS = { 'content-type': 'application/json', 'x-iexec-nonce': 'managed' };

/** Accounts nobody has the key of. */
export const STRANGERS = [`0x${'ab'.repeat(20)}`, `0x${'cd'.repeat(20)}`];

/** A JSON-RPC error as the node sent it. */
export class Refused extends Error {
  constructor({ code, message, data }) {
    super(message);
    Object.assign(this, { code, data });
  }
}

export class Rpc {
  constructor(url) {
    this.url = url;
  }

  /** Posts `body` as it is; returns status, content type and the text. */
  async post(body, headers = HEADERS) {
    const response = await fetch(this.url, { method: 'POST', headers, body });
    const type = (response.headers.get('content-type') ?? '').split(';')[0];
    return { status: response.status, type, text: await response.text() };
  }

  async json(body) {
    const { text } = await this.post(typeof body === 'string' ? body : JSON.stringify(body));
    return text === '' ? null : JSON.parse(text);
  }

  async send(method, ...given) {
    const params = method === 'eth_sendTransaction' ? given.map(free) : given;
    const answer = await this.json({ jsonrpc: '2.0', id: 1, method, params });
    if (answer.error) throw new Refused(answer.error);
    return answer.result;
  }

  /** `send`, but the answer is told as a value: the normalised result or `{code}`. */
  async try(method, ...params) {
    try {
      return shape(await this.send(method, ...params));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return refusal(error);
    }
  }

  /** Sends and returns the receipt. */
  async mined(method, ...params) {
    const hash = await this.send(method, ...params);
    return until(() => this.send('eth_getTransactionReceipt', hash), 5_000);
  }
}

/** A transaction request with the price of nothing, for want of one. */
function free(request) {
  const is_priced = 'gasPrice' in request || 'maxFeePerGas' in request;
  return is_priced ? request : { maxFeePerGas: '0x0', maxPriorityFeePerGas: '0x0', ...request };
}

/** What two nodes must agree on when they refuse: the code, and revert data. */
export function refusal({ code: given, data }) {
  // "Refused" is -32000 in geth and -32003 in EIP-1474 and anvil; libraries look at the words.
  const code = given === -32003 ? -32000 : given;
  return typeof data === 'string' && data.startsWith('0x') ? { code, data } : { code };
}

/** Fields that two nodes fill differently without either being wrong. */
const VOLATILE = new Set([
  'hash', 'parentHash', 'blockHash', 'stateRoot', 'receiptsRoot', 'mixHash', 'timestamp',
  'blockTimestamp', 'size', 'extraData', 'difficulty', 'totalDifficulty', 'root',
  'requestsHash',
]);

/** Fields of receipts that only anvil has. */
const EXTRA = new Set(['blobGasPrice', 'blockTimestamp']);

/** `value` with what may differ replaced by its form. `keep` names fields that may not. */
export function shape(value, keep = []) {
  if (Array.isArray(value)) return value.map((item) => shape(item, keep));
  if (value === null || typeof value !== 'object') return value;
  const is_receipt = 'cumulativeGasUsed' in value;
  const fields = Object.keys(value).sort().filter((key) => !(is_receipt && EXTRA.has(key)));
  return Object.fromEntries(fields.map((key) => {
    const is_free = VOLATILE.has(key) && !keep.includes(key);
    return [key, is_free ? form(value[key]) : shape(value[key], keep)];
  }));
}

/** The form of a hex string: `quantity` without leading zeros, or `N bytes`. */
export function form(value) {
  if (value === null || value === undefined) return value ?? null;
  if (typeof value !== 'string') return typeof value;
  if (/^0x([0-9a-f]{2})*$/.test(value) && value.length >= 18) return `${(value.length - 2) / 2} bytes`;
  if (/^0x(0|[1-9a-f][0-9a-f]*)$/.test(value)) return 'quantity';
  if (/^0x([0-9a-f]{2})*$/.test(value)) return 'bytes';
  return `odd: ${value}`;
}

export const hex = (number) => `0x${BigInt(number).toString(16)}`;
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks until the answer is neither null nor undefined nor false. */
export async function until(ask, ms = 10_000) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(10)) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
  }
  throw new Error('timed out');
}

/** The name and code a library gives an error, and what it decoded from revert data. */
export async function fate(promise) {
  try {
    await promise;
    return 'succeeded';
  } catch (error) {
    return error;
  }
}
