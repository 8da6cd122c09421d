// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOracleConsumer} from "./External.sol";
import "./Storage.sol";
import {Vault} from "./Words.sol";
import {DealCode, DealView} from "./DealCode.sol";
import {Ledger} from "./Ledger.sol";

/// Pays for a task once its outcome is known.
abstract contract Settlement is Ledger {
    using DealCode for DealView;

    /// Money on its way through a settlement. `out`: nRLC that leave the vault; `kitty`: nRLC
    /// of the kitty among them; `owed`: nRLC the scheduler gets besides its reward, its own
    /// stake `stake` included.
    struct Bill {
        uint256 out;
        uint256 kitty;
        uint256 owed;
        uint256 stake;
    }

    /// Pays the app and the dataset, gives back the scheduler's stake and its share of the kitty
    /// for `tasks` tasks. Only tells of what the scheduler gets: {_paySchedulerAndClose} moves it.
    function _openBill(bytes32 ref, DealView deal, uint256 tasks)
        internal
        returns (Bill memory bill)
    {
        unchecked {
            uint256 appPrice = deal.appPrice() * tasks;
            uint256 datasetPrice = deal.datasetPrice() * tasks;
            uint256 paid = appPrice + datasetPrice + deal.workerpoolPrice() * tasks;
            address sponsor = deal.sponsor();
            _forfeit(sponsor, paid);
            emit Seize(sponsor, paid, ref);
            if (appPrice > 0) _pay(deal.appOwner(), appPrice, ref);
            if (datasetPrice > 0) _pay(deal.datasetOwner(), datasetPrice, ref);
            bill.stake = _schedulerStake(deal.workerpoolPrice()) * tasks;
            address scheduler = deal.workerpoolOwner();
            _logUnlock(scheduler, bill.stake);
            bill.kitty = _kittyShare(tasks);
            if (bill.kitty > 0) {
                emit Seize(KITTY_ADDRESS, bill.kitty, ref);
                _logReward(scheduler, bill.kitty, ref);
            }
            bill.owed = bill.stake + bill.kitty;
            bill.out = appPrice + datasetPrice + bill.owed;
        }
    }

    /// The scheduler's reward, which is what the workers leave of the pot, ends the settlement.
    function _paySchedulerAndClose(
        bytes32 ref,
        DealView deal,
        Bill memory bill,
        uint256 reward
    ) internal {
        address scheduler = deal.workerpoolOwner();
        _logReward(scheduler, reward, ref);
        unchecked {
            _release(scheduler, bill.stake, bill.owed - bill.stake + reward, 0);
            uint256 delta = bill.out + reward + (bill.kitty << Vault.KITTY_AT);
            if (delta != 0) _vault -= delta;
        }
    }

    /// What a worker who needs no stake gets for one task.
    function _workersPart(DealView deal, uint256 pot) internal pure returns (uint256) {
        return pot * (100 - deal.rewardRatio()) / 100;
    }

    /// Gives the payer's money back and the scheduler's stake to the kitty. Returns what the
    /// vault loses and the kitty wins.
    function _settleFailure(bytes32 taskid, DealView deal)
        internal
        returns (uint256 out, uint256 kitty)
    {
        unchecked {
            out = deal.appPrice() + deal.datasetPrice() + deal.workerpoolPrice();
        }
        kitty = _schedulerStake(deal.workerpoolPrice());
        _fail(taskid, deal.sponsor(), out, deal.workerpoolOwner(), kitty);
    }

    function _fail(
        bytes32 taskid,
        address payer,
        uint256 paid,
        address scheduler,
        uint256 staked
    ) internal {
        _logUnlock(payer, paid);
        _release(payer, paid, 0, 0);
        _forfeit(scheduler, staked);
        emit Seize(scheduler, staked, taskid);
        // The hub already holds what it seized: only the owner of the claim changes.
        emit Reward(KITTY_ADDRESS, staked, taskid);
        emit Lock(KITTY_ADDRESS, staked);
    }

    /// Tells the deal's callback, whose failure is its own affair. Whoever sends the transaction
    /// must have offered the full allowance, otherwise a scheduler could starve the callback.
    function _executeCallback(bytes32 taskid, DealView deal, bytes calldata result) internal {
        address target = deal.callback();
        if (target != address(0)) assert(_tell(target, taskid, result));
    }

    /// Calls a callback with the gas that callbacks have; false when there was less.
    function _tell(address target, bytes32 taskid, bytes calldata result)
        internal
        returns (bool)
    {
        uint256 allowance_ = _callbackGas;
        bytes memory data = abi.encodeCall(IOracleConsumer.receiveResult, (taskid, result));
        assembly ("memory-safe") {
            pop(call(allowance_, target, 0, add(data, 0x20), mload(data), 0, 0))
        }
        return gasleft() > allowance_ / 63;
    }

    /// One tenth of the kitty, at least one RLC if it has as much, for each task in turn.
    function _kittyShare(uint256 tasks) internal view returns (uint256 shares) {
        uint256 kitty = Vault.kitty(_vault);
        unchecked {
            for (; tasks > 0 && kitty > 0; --tasks) {
                uint256 share = kitty * KITTY_RATIO / 100;
                if (share < KITTY_MIN) share = KITTY_MIN;
                if (share > kitty) share = kitty;
                kitty -= share;
                shares += share;
            }
        }
    }

    function _pay(address account, uint256 amount, bytes32 ref) internal {
        _credit(account, amount);
        _logReward(account, amount, ref);
    }

    /// What the scheduler stakes on a task with this price.
    function _schedulerStake(uint256 price) internal pure returns (uint256) {
        unchecked {
            return price * WORKERPOOL_STAKE_RATIO / 100;
        }
    }
}
