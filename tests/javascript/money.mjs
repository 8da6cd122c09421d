// Gas, RLC, the deposit and allowances of a wallet that did not exist before.
export default async ({ as, key, ethers, network, utils }) => {
  const fresh = ethers.Wallet.createRandom();
  const heir = ethers.Wallet.createRandom().address;
  const spender = ethers.Wallet.createRandom().address;
  const faucet = as(key('faucet'));
  const user = as(fresh.privateKey);
  await faucet.wallet.sendETH(utils.parseEth('2 ether'), fresh.address);
  await faucet.wallet.sendRLC(utils.parseRLC('5 RLC'), fresh.address);
  const funded = await user.wallet.checkBalances(fresh.address);

  const deposited = await user.account.deposit('3000');
  const withdrawn = await user.account.withdraw(1000);
  const stake = await user.account.checkBalance(fresh.address);
  await user.account.approve(255, spender);
  const allowed = await user.account.checkAllowance(fresh.address, spender);
  await user.account.revokeApproval(spender);
  const revoked = await user.account.checkAllowance(fresh.address, spender);

  const swept = await user.wallet.sweep(heir);
  return {
    address: await user.wallet.getAddress(),
    expected: fresh.address,
    heir,
    spender,
    funded: { wei: funded.wei, nRLC: funded.nRLC },
    deposited,
    withdrawn,
    stake: { stake: stake.stake, locked: stake.locked },
    allowed,
    revoked,
    swept,
    broke: await as(fresh.privateKey).wallet.checkBalances(fresh.address),
    network: await user.network.getNetwork(),
    hub: network.hub,
  };
};
