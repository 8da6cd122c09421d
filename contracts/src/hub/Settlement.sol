// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOracleConsumer} from "./External.sol";
import "./Storage.sol";
import {Ledger} from "./Ledger.sol";

/// Pays for a task once its outcome is known.
abstract contract Settlement is Ledger {
    /// Pays everyone but the workers, gives back the scheduler's stake and its share of the kitty.
    function _settleSuccess(bytes32 taskid, DealData storage deal) internal {
        uint256 appPrice = deal.appPrice;
        uint256 datasetPrice = _datasetPrice(deal);
        address workerpoolOwner = deal.workerpoolOwner;
        _seize(deal.sponsor, appPrice + datasetPrice + deal.workerpoolPrice, taskid);
        if (appPrice > 0) _reward(deal.appOwner, appPrice, taskid);
        if (datasetPrice > 0) _reward(deal.datasetOwner, datasetPrice, taskid);
        _unlock(workerpoolOwner, _schedulerStake(deal));
        uint256 kitty = _balances[KITTY_ADDRESS].locked;
        if (kitty > 0) {
            uint256 share = kitty * KITTY_RATIO / 100;
            if (share < KITTY_MIN) share = KITTY_MIN;
            if (share > kitty) share = kitty;
            _seize(KITTY_ADDRESS, share, taskid);
            _reward(workerpoolOwner, share, taskid);
        }
    }

    /// Gives the requester's money back and the scheduler's stake to the kitty.
    function _settleFailure(bytes32 taskid, DealData storage deal) internal {
        uint256 price = uint256(deal.appPrice) + _datasetPrice(deal) + deal.workerpoolPrice;
        _unlock(deal.sponsor, price);
        uint256 stake = _schedulerStake(deal);
        _seize(deal.workerpoolOwner, stake, taskid);
        // The hub already holds what it seized: only the owner of the claim changes.
        _balances[KITTY_ADDRESS].locked += uint128(stake);
        emit Reward(KITTY_ADDRESS, stake, taskid);
        emit Lock(KITTY_ADDRESS, stake);
    }

    /// Shares the price and the stakes of wrong contributors among right ones, by weight.
    function _payWorkers(bytes32 taskid, TaskData storage task, DealData storage deal) internal {
        address[] memory contributors = task.contributors;
        uint256 stake = _workerStake(deal);
        uint256 pot = deal.workerpoolPrice;
        uint256 weights;
        for (uint256 i = 0; i < contributors.length; ++i) {
            ContributionData storage c = task.contributions[contributors[i]];
            if (c.status == CONTRIBUTION_PROVED) weights += c.weight;
            else pot += stake;
        }
        uint256 share = pot * (100 - uint256(deal.schedulerRewardRatio)) / 100;
        uint256 rest = pot;
        for (uint256 i = 0; i < contributors.length; ++i) {
            address worker = contributors[i];
            ContributionData storage c = task.contributions[worker];
            if (c.status == CONTRIBUTION_PROVED) {
                uint256 reward = share * c.weight / weights;
                rest -= reward;
                _unlock(worker, stake);
                _reward(worker, reward, taskid);
                // A worker alone agrees with nobody, so nothing is learnt about it.
                if (contributors.length > 1) {
                    ++_scores[worker];
                    emit AccurateContribution(worker, taskid);
                }
            } else {
                _seize(worker, stake, taskid);
                _scores[worker] = _scores[worker] * 2 / 3;
                emit FaultyContribution(worker, taskid);
            }
        }
        _reward(deal.workerpoolOwner, rest, taskid);
    }

    function _payOnlyWorker(bytes32 taskid, DealData storage deal, address worker) internal {
        uint256 pot = deal.workerpoolPrice;
        uint256 share = pot * (100 - uint256(deal.schedulerRewardRatio)) / 100;
        _reward(worker, share, taskid);
        _reward(deal.workerpoolOwner, pot - share, taskid);
    }

    /// Tells the deal's callback, whose failure is its own affair. Whoever sends the transaction
    /// must have offered the full allowance, otherwise a scheduler could starve the callback.
    function _executeCallback(bytes32 taskid, DealData storage deal, bytes calldata result)
        internal
    {
        if (deal.extras & DEAL_CALLBACK == 0) return;
        address target = deal.callback;
        uint256 allowance_ = _callbackGas;
        bytes memory data = abi.encodeCall(IOracleConsumer.receiveResult, (taskid, result));
        assembly ("memory-safe") {
            pop(call(allowance_, target, 0, add(data, 0x20), mload(data), 0, 0))
        }
        assert(gasleft() > allowance_ / 63);
    }

    function _workerStake(DealData storage deal) internal view returns (uint256) {
        return deal.extras & DEAL_WIDE_STAKE == 0 ? deal.workerStake : deal.wideWorkerStake;
    }

    function _trust(DealData storage deal) internal view returns (uint256) {
        return deal.extras & DEAL_WIDE_TRUST == 0 ? deal.trust : deal.wideTrust;
    }

    function _schedulerStake(DealData storage deal) private view returns (uint256) {
        return uint256(deal.workerpoolPrice) * WORKERPOOL_STAKE_RATIO / 100;
    }

    function _datasetPrice(DealData storage deal) private view returns (uint256) {
        return deal.extras & DEAL_DATASET == 0 ? 0 : deal.datasetPrice;
    }
}
