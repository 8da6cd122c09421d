// The three kinds of assets and the hub's categories.
export default async ({ as, key, ethers, isOld, network }) => {
  const developer = as(key('developer'));
  const owner = await developer.wallet.getAddress();
  const heir = ethers.Wallet.createRandom().address;
  const name = `from the library ${Date.now()} ${Math.random()}`;

  const kinds = {
    app: {
      owner,
      name,
      type: 'DOCKER',
      multiaddr: 'docker.io/hello:1.0.0',
      checksum: `0x${'12'.repeat(32)}`,
    },
    dataset: {
      owner,
      name,
      multiaddr: '/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ',
      checksum: `0x${'34'.repeat(32)}`,
    },
    workerpool: { owner, description: name },
  };
  const told = {};
  for (const [kind, asset] of Object.entries(kinds)) {
    const module = developer[kind];
    const Kind = kind[0].toUpperCase() + kind.slice(1);
    const before = await module[`countUser${Kind}s`](owner);
    const predicted = await module[`predict${Kind}Address`](asset);
    const wasThere = await module[`checkDeployed${Kind}`](predicted);
    const { address, txHash } = await module[`deploy${Kind}`](asset);
    const after = await module[`countUser${Kind}s`](owner);
    const shown = await module[`show${Kind}`](address);
    const byIndex = await module[`showUser${Kind}`](Number(before), owner);
    const isThere = await module[`checkDeployed${Kind}`](address);
    const transfer = await module[`transfer${Kind}`](address, heir);
    const given = await module[`show${Kind}`](address);
    told[kind] = {
      address,
      txHash,
      predicted,
      wasThere,
      isThere,
      grown: Number(after) - Number(before),
      shown: shown[kind],
      byIndex: byIndex.objAddress,
      transfer,
      heir: given[kind].owner ?? given[kind][`${kind}Owner`],
    };
  }

  const hub = as(key('hubOwner')).hub;
  const count = await hub.countCategory();
  const created = await hub.createCategory({
    name: `made by ${isOld ? 8 : 9}`,
    description: 'by the library',
    workClockTimeRef: '77',
  });
  return {
    owner,
    heir,
    name,
    ...told,
    apiUrl: await developer.workerpool.getWorkerpoolApiUrl(network.workerpool),
    count,
    created,
    category: await hub.showCategory(created.catid),
    ratio: await hub.getTimeoutRatio(),
  };
};
