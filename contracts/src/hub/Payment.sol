// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Storage.sol";
import {AccountWord, ContributionWord} from "./Words.sol";
import {DealCode, DealView} from "./DealCode.sol";
import {Consensus} from "./Consensus.sol";
import {Settlement} from "./Settlement.sol";

/// Shares what a workerpool earned among those who worked for it.
abstract contract Payment is Settlement, Consensus {
    using ContributionWord for uint256;
    using DealCode for DealView;

    /// Worker and scheduler after `tasks` tasks that the caller did without a stake.
    function _payOnlyWorker(bytes32 ref, DealView deal, uint256 tasks) internal {
        Bill memory bill = _openBill(ref, deal, tasks);
        uint256 price = deal.workerpoolPrice();
        uint256 share = _workersPart(deal, price);
        unchecked {
            bill.out += share * tasks;
            _credit(msg.sender, share * tasks);
            _logReward(msg.sender, share * tasks, ref);
            _paySchedulerAndClose(ref, deal, bill, (price - share) * tasks);
        }
    }

    /// Worker and scheduler of a task that had one contribution. A worker alone agrees with
    /// nobody, so nothing is learnt about it.
    function _payOneWorker(bytes32 taskid, DealView deal, address worker) internal {
        Bill memory bill = _openBill(taskid, deal, 1);
        uint256 price = deal.workerpoolPrice();
        uint256 share = _workersPart(deal, price);
        uint256 stake = deal.workerStake();
        unchecked {
            bill.out += stake + share;
            _logUnlock(worker, stake);
            _logReward(worker, share, taskid);
            _release(worker, stake, share, 0);
            _paySchedulerAndClose(taskid, deal, bill, price - share);
        }
    }

    /// Shares the price and the stakes of wrong contributors among right ones, by weight.
    function _payWorkers(bytes32 taskid, TaskData storage task, DealView deal, uint256 count)
        internal
    {
        Bill memory bill = _openBill(taskid, deal, 1);
        uint256 stake = deal.workerStake();
        (uint256[] memory words, uint256 weights, uint256 pot) =
            _weigh(task, count, deal.workerpoolPrice(), stake);
        uint256 share = _workersPart(deal, pot);
        uint256 rest = pot;
        for (uint256 i = 0; i < count; ++i) {
            if (words[i].status() == CONTRIBUTION_PROVED) {
                uint256 reward = share * words[i].weight() / weights;
                rest -= reward;
                bill.out += stake + reward;
                _payRight(taskid, words[i].worker(), stake, reward, count > 1);
            } else {
                _punish(taskid, words[i].worker(), stake);
            }
        }
        _paySchedulerAndClose(taskid, deal, bill, rest);
    }

    /// Gives a stake back after a task that failed.
    function _giveBack(address worker, uint256 stake) internal {
        _logUnlock(worker, stake);
        _release(worker, stake, 0, 0);
    }

    /// All contributions with the logarithms of their weights, the sum of those of the right
    /// ones, and what there is to share.
    function _weigh(TaskData storage task, uint256 count, uint256 price, uint256 stake)
        private
        view
        returns (uint256[] memory words, uint256 weights, uint256 pot)
    {
        words = new uint256[](count);
        pot = price;
        for (uint256 i = 0; i < count; ++i) {
            uint256 word = task.contributions[i].word;
            uint256 weight = _log2(word.weight());
            words[i] = (word & ((1 << ContributionWord.WEIGHT_AT) - 1))
                | (weight << ContributionWord.WEIGHT_AT);
            if (word.status() == CONTRIBUTION_PROVED) weights += weight;
            else pot += stake;
        }
    }

    function _payRight(
        bytes32 taskid,
        address worker,
        uint256 stake,
        uint256 reward,
        bool learnt
    ) private {
        _logUnlock(worker, stake);
        _logReward(worker, reward, taskid);
        _release(worker, stake, reward, learnt ? 1 : 0);
        if (learnt) emit AccurateContribution(worker, taskid);
    }

    function _punish(bytes32 taskid, address worker, uint256 stake) private {
        emit Seize(worker, stake, taskid);
        uint256 word = _forfeit(worker, stake);
        uint256 score = AccountWord.score(word);
        unchecked {
            uint256 lost = score - score * 2 / 3;
            if (lost > 0) _accounts[worker] = word - (lost << AccountWord.SCORE_AT);
        }
        emit FaultyContribution(worker, taskid);
    }
}
