// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../hub/Storage.sol";
import {TaskWord, Vault} from "../hub/Words.sol";
import {Settlement} from "../hub/Settlement.sol";
import {Signatures} from "../hub/Signatures.sol";
import {BoostCode, BoostView, BoostWord} from "./BoostCode.sol";
import {BoostEvents} from "./BoostTypes.sol";

/// The life of a Boost task: one transaction of the worker, or a claim once it is too late. Its
/// id is made of the deal and its index, which counts from the first of the deal, not of the
/// request order. Of the task only the state is kept, in a word that names no classic deal.
abstract contract BoostTasks is Settlement, Signatures, BoostEvents {
    using BoostCode for BoostView;
    using BoostWord for uint256;

    /// Takes the result of a task and pays for it. Who contributes is authorized as in a classic
    /// task; an enclave signs the worker, the task and the hash of what the callback is told, or
    /// of the results when there is no callback.
    function pushResultBoost(
        bytes32 dealId,
        uint256 index,
        bytes calldata results,
        bytes calldata resultsCallback,
        bytes calldata authorizationSign,
        address enclaveChallenge,
        bytes calldata enclaveSign
    ) external {
        uint256 word = _boostDeals[dealId];
        bytes32 taskid = _unsetTask(dealId, word, index);
        require(block.timestamp < word.deadline(), "PocoBoost: Deadline reached");
        BoostView deal = BoostCode.load(word.number());
        _checkAuthorization(word.scheduler(), deal, taskid, enclaveChallenge, authorizationSign);
        address target = deal.callback();
        _checkEnclave(
            taskid, target == address(0) ? results : resultsCallback, enclaveChallenge, enclaveSign
        );
        // Complete, with nothing to read.
        _tasks[taskid].word = TaskWord.INLINE;
        _settle(taskid, word.scheduler(), deal);
        emit ResultPushedBoost(dealId, index, results);
        if (target == address(0)) return;
        require(resultsCallback.length > 0, "PocoBoost: Callback requires data");
        require(
            _tell(target, taskid, resultsCallback), "PocoBoost: Not enough gas after callback"
        );
    }

    /// Ends a task that nobody did in time.
    function claimBoost(bytes32 dealId, uint256 index) external {
        uint256 word = _boostDeals[dealId];
        bytes32 taskid = _unsetTask(dealId, word, index);
        require(word.deadline() <= block.timestamp, "PocoBoost: Deadline not reached");
        BoostView deal = BoostCode.load(word.number());
        _tasks[taskid].word = TASK_FAILED;
        uint256 paid = _priceOf(deal);
        uint256 stake = _schedulerStake(deal.workerpoolPrice());
        _fail(taskid, deal.sponsor(), paid, word.scheduler(), stake);
        unchecked {
            _vault = _vault - paid + (stake << Vault.KITTY_AT);
        }
        emit TaskClaimed(taskid);
    }

    function _unsetTask(bytes32 dealid, uint256 word, uint256 index)
        private
        view
        returns (bytes32 taskid)
    {
        require(index < word.size(), "PocoBoost: Unknown task");
        taskid = keccak256(abi.encode(dealid, index));
        require(_tasks[taskid].word == 0, "PocoBoost: Task status not unset");
    }

    /// The broker answers for enclaves when there is one, the scheduler for everything else.
    function _checkAuthorization(
        address authority,
        BoostView deal,
        bytes32 taskid,
        address enclaveChallenge,
        bytes calldata signature
    ) private view {
        bool tee = uint24(deal.shortTag()) & uint256(TAG_TEE) != 0;
        require(
            enclaveChallenge != address(0) || !tee, "PocoBoost: Tag requires enclave challenge"
        );
        if (enclaveChallenge != address(0) && _teeBroker != address(0)) authority = _teeBroker;
        bytes32 message = keccak256(abi.encodePacked(msg.sender, taskid, enclaveChallenge));
        require(
            _isSigned(authority, _personalMessage(message), signature),
            "PocoBoost: Invalid contribution authorization signature"
        );
    }

    function _checkEnclave(
        bytes32 taskid,
        bytes calldata result,
        address enclaveChallenge,
        bytes calldata signature
    ) private view {
        if (enclaveChallenge == address(0)) return;
        bytes32 message = keccak256(abi.encodePacked(msg.sender, taskid, keccak256(result)));
        require(
            _isSigned(enclaveChallenge, _personalMessage(message), signature),
            "PocoBoost: Invalid enclave signature"
        );
    }

    /// Pays the worker, the app, the dataset and the scheduler with the money of the sponsor.
    function _settle(bytes32 taskid, address scheduler, BoostView deal) private {
        unchecked {
            uint256 paid = _priceOf(deal);
            address sponsor = deal.sponsor();
            _forfeit(sponsor, paid);
            emit Seize(sponsor, paid, taskid);
            uint256 price = deal.workerpoolPrice();
            uint256 reward = deal.workerReward();
            _pay(msg.sender, reward, taskid);
            if (deal.appPrice() > 0) _pay(deal.appOwner(), deal.appPrice(), taskid);
            if (deal.datasetPrice() > 0) _pay(deal.datasetOwner(), deal.datasetPrice(), taskid);
            uint256 stake = _schedulerStake(price);
            _logUnlock(scheduler, stake);
            uint256 kitty = _kittyShare(1);
            if (kitty > 0) emit Seize(KITTY_ADDRESS, kitty, taskid);
            uint256 rest = price - reward + kitty;
            _logReward(scheduler, rest, taskid);
            _release(scheduler, stake, rest, 0);
            _vault -= paid + stake + kitty + (kitty << Vault.KITTY_AT);
        }
    }

    /// What one task costs its sponsor.
    function _priceOf(BoostView deal) private pure returns (uint256) {
        unchecked {
            return deal.appPrice() + deal.datasetPrice() + deal.workerpoolPrice();
        }
    }
}
