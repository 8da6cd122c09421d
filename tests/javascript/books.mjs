// Order books: more than a page of orders, and every filter.
export default async ({ as, key, app, tags, isOld, ethers, network }) => {
  const developer = as(key('developer'));
  const reader = as(ethers.Wallet.createRandom().privateKey);
  const friend = ethers.Wallet.createRandom().address;
  const publish = async (terms) => {
    const { order } = developer;
    const template = await order.createApporder({ app, tag: tags, ...terms });
    return order.publishApporder(await order.signApporder(template));
  };

  // Published dearest first, to be listed cheapest first.
  const hashes = {};
  for (let price = 45; price > 0; price -= 1) {
    const volume = price <= 3 ? 100 : 1;
    hashes[price] = await publish({ appprice: price, volume });
  }
  hashes.friend = await publish({ appprice: 100, requesterrestrict: friend });
  hashes.gpu = await publish({ appprice: 101, tag: [...tags, 'gpu'] });

  const book = (options) => reader.orderbook.fetchAppOrderbook({ app, ...options });
  const list = ({ count, orders, more }) => ({
    count,
    prices: orders.map(({ order }) => order.appprice),
    hasMore: Boolean(more),
  });
  const pages = [];
  let page = await book({});
  for (;;) {
    pages.push(list(page));
    if (!page.more) break;
    page = await page.more();
  }
  const pool = (options) =>
    reader.orderbook.fetchWorkerpoolOrderbook({
      workerpool: network.workerpool,
      ...options,
    });
  const offers = (book) => ({
    count: book.count,
    categories: book.orders.map(({ order }) => order.category),
    tags: book.orders.map(({ order }) => order.tag),
  });
  const told = {
    hashes,
    friend,
    pages,
    large: list(await book({ minVolume: 50 })),
    forFriend: list(await book({ requester: friend, page: 4, pageSize: 10 })),
    strictly: list(
      await book({ requester: friend, isRequesterStrict: true }),
    ),
    byOwner: list(
      await reader.orderbook.fetchAppOrderbook({
        appOwner: await developer.wallet.getAddress(),
        pageSize: 10,
      }),
    ),
    withGpu: list(await book({ minTag: [...tags, 'gpu'] })),
    withoutTee: list(await book({ maxTag: isOld ? [] : `0x${'0'.repeat(64)}` })),
    offersOf3: offers(await pool({ category: 3 })),
    confidential: offers(await pool({ category: 3, minTag: ['tee', 'tdx'] })),
    standard: offers(
      await pool({ category: 3, maxTag: `0x${'0'.repeat(64)}` }),
    ),
    trusted: offers(await pool({ minTrust: 6 })),
    requests: (await reader.orderbook.fetchRequestOrderbook({})).count,
    datasets: (
      await reader.orderbook.fetchDatasetOrderbook({ dataset: app })
    ).count,
  };
  told.last = await developer.order.unpublishLastApporder(app);
  told.gone = await developer.order.unpublishAllApporders(app);
  told.empty = list(await book({}));
  return told;
};
