// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Storage.sol";
import {Settlement} from "./Settlement.sol";
import {Signatures} from "./Signatures.sol";

/// The life of a task. What is not allowed reverts without data, as clients expect.
abstract contract Tasks is Settlement, Signatures {
    function initialize(bytes32 dealId, uint256 index) external returns (bytes32) {
        return _initialize(dealId, index);
    }

    function initializeArray(bytes32[] calldata dealIds, uint256[] calldata indexes)
        external
        returns (bool)
    {
        require(dealIds.length == indexes.length);
        for (uint256 i = 0; i < dealIds.length; ++i) _initialize(dealIds[i], indexes[i]);
        return true;
    }

    function initializeAndClaimArray(bytes32[] calldata dealIds, uint256[] calldata indexes)
        external
        returns (bool)
    {
        require(dealIds.length == indexes.length);
        for (uint256 i = 0; i < dealIds.length; ++i) _claim(_initialize(dealIds[i], indexes[i]));
        return true;
    }

    function contribute(
        bytes32 taskId,
        bytes32 resultHash,
        bytes32 resultSeal,
        address enclaveChallenge,
        bytes calldata enclaveSign,
        bytes calldata authorizationSign
    ) external {
        TaskData storage task = _tasks[taskId];
        DealData storage deal = _deals[task.dealid];
        require(task.status == TASK_ACTIVE);
        require(_contributionDeadline(deal) > block.timestamp);
        ContributionData storage contribution = task.contributions[msg.sender];
        require(contribution.status == CONTRIBUTION_UNSET);
        _checkAuthorization(deal, taskId, enclaveChallenge, authorizationSign);
        _checkEnclave(enclaveChallenge, resultHash, resultSeal, enclaveSign);
        contribution.status = CONTRIBUTION_CONTRIBUTED;
        contribution.enclaveChallenge = enclaveChallenge;
        contribution.resultHash = resultHash;
        contribution.resultSeal = resultSeal;
        task.contributors.push(msg.sender);
        _lock(msg.sender, _workerStake(deal));
        emit TaskContribute(taskId, msg.sender, resultHash);
        contribution.weight = _addWeight(task, resultHash);
        _checkConsensus(taskId, task, deal, resultHash);
    }

    /// One transaction for a task that trusts a single worker: no stake, no reveal.
    function contributeAndFinalize(
        bytes32 taskId,
        bytes32 resultDigest,
        bytes calldata results,
        bytes calldata resultsCallback,
        address enclaveChallenge,
        bytes calldata enclaveSign,
        bytes calldata authorizationSign
    ) external {
        TaskData storage task = _tasks[taskId];
        DealData storage deal = _deals[task.dealid];
        require(task.status == TASK_ACTIVE);
        require(_contributionDeadline(deal) > block.timestamp);
        require(task.contributors.length == 0);
        require(_trust(deal) == 1);
        _checkCallbackBytes(deal, resultDigest, resultsCallback);
        bytes32 resultHash = keccak256(abi.encodePacked(taskId, resultDigest));
        bytes32 resultSeal = keccak256(abi.encodePacked(msg.sender, taskId, resultDigest));
        _checkAuthorization(deal, taskId, enclaveChallenge, authorizationSign);
        _checkEnclave(enclaveChallenge, resultHash, resultSeal, enclaveSign);
        ContributionData storage contribution = task.contributions[msg.sender];
        contribution.status = CONTRIBUTION_PROVED;
        contribution.enclaveChallenge = enclaveChallenge;
        contribution.resultHash = resultHash;
        contribution.resultSeal = resultSeal;
        _completeAtOnce(task, deal, resultHash, resultDigest);
        task.results = results;
        task.resultsCallback = resultsCallback;
        _settleSuccess(taskId, deal);
        _payOnlyWorker(taskId, deal, msg.sender);
        emit TaskContribute(taskId, msg.sender, resultHash);
        emit TaskConsensus(taskId, resultHash);
        emit TaskReveal(taskId, msg.sender, resultDigest);
        emit TaskFinalize(taskId, results);
        _executeCallback(taskId, deal, resultsCallback);
    }

    function reveal(bytes32 taskId, bytes32 resultDigest) external {
        TaskData storage task = _tasks[taskId];
        require(task.status == TASK_REVEALING);
        require(task.revealDeadline > block.timestamp);
        ContributionData storage contribution = task.contributions[msg.sender];
        require(contribution.status == CONTRIBUTION_CONTRIBUTED);
        bytes32 resultHash = keccak256(abi.encodePacked(taskId, resultDigest));
        require(contribution.resultHash == task.consensusValue);
        require(contribution.resultHash == resultHash);
        require(
            contribution.resultSeal
                == keccak256(abi.encodePacked(msg.sender, taskId, resultDigest))
        );
        contribution.status = CONTRIBUTION_PROVED;
        ++task.revealCounter;
        task.resultDigest = resultDigest;
        emit TaskReveal(taskId, msg.sender, resultDigest);
    }

    /// Starts over after nobody revealed. Stakes stay locked and no deadline moves.
    function reopen(bytes32 taskId) external {
        TaskData storage task = _tasks[taskId];
        DealData storage deal = _deals[task.dealid];
        require(deal.workerpoolOwner == msg.sender);
        require(task.status == TASK_REVEALING);
        require(_finalDeadline(deal) > block.timestamp);
        require(task.revealDeadline <= block.timestamp && task.revealCounter == 0);
        bytes32 consensus = task.consensusValue;
        uint256 count = task.contributors.length;
        for (uint256 i = 0; i < count; ++i) {
            ContributionData storage contribution = task.contributions[task.contributors[i]];
            if (contribution.resultHash == consensus) {
                contribution.status = CONTRIBUTION_REJECTED;
            }
        }
        task.groups -= task.group[consensus];
        task.group[consensus] = 0;
        task.status = TASK_ACTIVE;
        task.consensusValue = 0;
        task.revealDeadline = 0;
        task.winnerCounter = 0;
        emit TaskReopen(taskId);
    }

    function finalize(bytes32 taskId, bytes calldata results, bytes calldata resultsCallback)
        external
    {
        TaskData storage task = _tasks[taskId];
        DealData storage deal = _deals[task.dealid];
        require(deal.workerpoolOwner == msg.sender);
        require(task.status == TASK_REVEALING);
        require(_finalDeadline(deal) > block.timestamp);
        uint256 revealed = task.revealCounter;
        require(
            revealed == task.winnerCounter
                || (revealed > 0 && task.revealDeadline <= block.timestamp)
        );
        _checkCallbackBytes(deal, task.resultDigest, resultsCallback);
        task.status = TASK_COMPLETED;
        task.results = results;
        task.resultsCallback = resultsCallback;
        _settleSuccess(taskId, deal);
        _payWorkers(taskId, task, deal);
        emit TaskFinalize(taskId, results);
        _executeCallback(taskId, deal, resultsCallback);
    }

    function claim(bytes32 taskId) external {
        _claim(taskId);
    }

    function claimArray(bytes32[] calldata taskIds) external returns (bool) {
        for (uint256 i = 0; i < taskIds.length; ++i) _claim(taskIds[i]);
        return true;
    }

    function _initialize(bytes32 dealid, uint256 index) private returns (bytes32 taskid) {
        DealData storage deal = _deals[dealid];
        uint256 first = deal.botFirst;
        require(index >= first && index < first + deal.botSize);
        taskid = keccak256(abi.encode(dealid, index));
        TaskData storage task = _tasks[taskid];
        require(task.status == TASK_UNSET);
        task.dealid = dealid;
        task.status = TASK_ACTIVE;
        task.idx = uint48(index);
        emit TaskInitialize(taskid, deal.workerpool);
    }

    function _claim(bytes32 taskid) private {
        TaskData storage task = _tasks[taskid];
        DealData storage deal = _deals[task.dealid];
        require(task.status == TASK_ACTIVE || task.status == TASK_REVEALING);
        require(_finalDeadline(deal) <= block.timestamp);
        task.status = TASK_FAILED;
        _settleFailure(taskid, deal);
        uint256 stake = _workerStake(deal);
        uint256 count = task.contributors.length;
        for (uint256 i = 0; i < count; ++i) _unlock(task.contributors[i], stake);
        emit TaskClaimed(taskid);
    }

    /// The broker answers for enclaves when there is one, the scheduler for everything else.
    function _checkAuthorization(
        DealData storage deal,
        bytes32 taskid,
        address enclaveChallenge,
        bytes calldata signature
    ) private view {
        require(enclaveChallenge != address(0) || deal.tag & TAG_TEE == 0);
        address authority = deal.workerpoolOwner;
        if (enclaveChallenge != address(0) && _teeBroker != address(0)) authority = _teeBroker;
        bytes32 message = keccak256(abi.encodePacked(msg.sender, taskid, enclaveChallenge));
        require(_isSigned(authority, _personalMessage(message), signature));
    }

    function _checkEnclave(
        address enclaveChallenge,
        bytes32 resultHash,
        bytes32 resultSeal,
        bytes calldata signature
    ) private view {
        if (enclaveChallenge == address(0)) return;
        bytes32 message = keccak256(abi.encodePacked(resultHash, resultSeal));
        require(_isSigned(enclaveChallenge, _personalMessage(message), signature));
    }

    /// Without a callback there is nothing to tell it, or the digest covers what is told.
    function _checkCallbackBytes(
        DealData storage deal,
        bytes32 resultDigest,
        bytes calldata resultsCallback
    ) private view {
        bool nothing = deal.extras & DEAL_CALLBACK == 0 && resultsCallback.length == 0;
        require(nothing || keccak256(resultsCallback) == resultDigest);
    }

    /// Multiplies the weight of the sender into its group. Returns the floor of log2 of it.
    function _addWeight(TaskData storage task, bytes32 resultHash) private returns (uint8) {
        uint256 third = _scores[msg.sender] / 3;
        uint256 weight = (third > 3 ? third : 3) - 1;
        uint256 group = task.group[resultHash];
        uint256 grown = (group > 1 ? group : 1) * weight;
        task.group[resultHash] = grown;
        task.groups = task.groups + grown - group;
        return _log2(weight);
    }

    function _checkConsensus(
        bytes32 taskid,
        TaskData storage task,
        DealData storage deal,
        bytes32 resultHash
    ) private {
        uint256 trust = _trust(deal);
        uint256 total = 1 + task.groups;
        if (task.group[resultHash] * trust <= total * (trust - 1)) return;
        uint32 winners;
        uint256 count = task.contributors.length;
        for (uint256 i = 0; i < count; ++i) {
            ContributionData storage c = task.contributions[task.contributors[i]];
            if (c.resultHash == resultHash && c.status == CONTRIBUTION_CONTRIBUTED) ++winners;
        }
        task.status = TASK_REVEALING;
        task.consensusValue = resultHash;
        task.revealDeadline = _revealDeadline(deal);
        task.revealCounter = 0;
        task.winnerCounter = winners;
        emit TaskConsensus(taskid, resultHash);
    }

    function _completeAtOnce(
        TaskData storage task,
        DealData storage deal,
        bytes32 resultHash,
        bytes32 resultDigest
    ) private {
        task.status = TASK_COMPLETED;
        task.revealDeadline = _revealDeadline(deal);
        task.revealCounter = 1;
        task.winnerCounter = 1;
        task.consensusValue = resultHash;
        task.resultDigest = resultDigest;
        task.contributors.push(msg.sender);
    }

    function _contributionDeadline(DealData storage deal) private view returns (uint256) {
        return deal.startTime + CONTRIBUTION_DEADLINE_RATIO * deal.timeref;
    }

    function _finalDeadline(DealData storage deal) private view returns (uint256) {
        return deal.startTime + FINAL_DEADLINE_RATIO * deal.timeref;
    }

    function _revealDeadline(DealData storage deal) private view returns (uint64) {
        return uint64(block.timestamp + REVEAL_DEADLINE_RATIO * deal.timeref);
    }

    function _log2(uint256 value) private pure returns (uint8 result) {
        while (value > 1) {
            value >>= 1;
            ++result;
        }
    }
}
