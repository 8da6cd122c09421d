// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Storage.sol";
import {AccountWord, ContributionWord, DealWord, TaskWord, Vault} from "./Words.sol";
import {DealCode, DealView} from "./DealCode.sol";
import {Authorization} from "./Authorization.sol";
import {Contributions} from "./Contributions.sol";
import {Payment} from "./Payment.sol";
import {Results} from "./Results.sol";

/// The life of a task. What is not allowed reverts without data, as clients expect.
abstract contract Tasks is Payment, Contributions, Authorization, Results {
    using DealCode for DealView;
    using TaskWord for uint256;

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
        uint256 word = task.word;
        require(word.state() == TASK_ACTIVE);
        DealView deal = DealCode.load(word.deal());
        require(_contributionDeadline(deal) > block.timestamp);
        bool several = word & TaskWord.SEVERAL != 0;
        if (several) _checkNew(task, word.count());
        _checkAuthorization(deal, taskId, enclaveChallenge, authorizationSign);
        _checkEnclave(enclaveChallenge, resultHash, resultSeal, enclaveSign);
        uint256 weight = _weightOf(_stake(deal));
        emit TaskContribute(taskId, msg.sender, resultHash);
        bool agreed;
        if (several) {
            (word, agreed) = _contributeAmong(task, word, deal, resultHash, weight);
            _keepSeal(task, word.count() - 1, enclaveChallenge, resultSeal);
        } else {
            word = _contributeAlone(
                task.contributions[0], word, resultHash, resultSeal, enclaveChallenge
            ) | (_log2(weight) << TaskWord.WEIGHT_AT);
            agreed = true;
        }
        if (agreed) {
            word = word.withState(TASK_REVEALING) | _delay(deal);
            emit TaskConsensus(taskId, resultHash);
        }
        task.word = word;
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
        uint256 word = task.word;
        require(word.state() == TASK_ACTIVE);
        DealView deal = DealCode.load(word.deal());
        require(_contributionDeadline(deal) > block.timestamp);
        require(deal.trust() == 1);
        require(word & TaskWord.SEVERAL == 0 || word.count() == 0);
        _checkTold(deal, resultDigest, resultsCallback);
        bytes32 resultHash = _hashOf(taskId, resultDigest);
        _checkAuthorization(deal, taskId, enclaveChallenge, authorizationSign);
        _checkEnclave(
            enclaveChallenge, resultHash, _sealOf(msg.sender, taskId, resultDigest), enclaveSign
        );
        word = word.withState(_keep(task, results, resultsCallback)) | _delay(deal);
        _complete(task, word, resultDigest, enclaveChallenge);
        _payOnlyWorker(taskId, deal, 1);
        emit TaskContribute(taskId, msg.sender, resultHash);
        emit TaskConsensus(taskId, resultHash);
        emit TaskReveal(taskId, msg.sender, resultDigest);
        emit TaskFinalize(taskId, results);
        _executeCallback(taskId, deal, resultsCallback);
    }

    function reveal(bytes32 taskId, bytes32 resultDigest) external {
        TaskData storage task = _tasks[taskId];
        uint256 word = task.word;
        require(word.state() == TASK_REVEALING);
        DealView deal = DealCode.load(word.deal());
        require(_revealDeadline(deal, word) > block.timestamp);
        bytes32 hash = _hashOf(taskId, resultDigest);
        bytes32 seal = _sealOf(msg.sender, taskId, resultDigest);
        if (word & TaskWord.SEVERAL != 0) {
            word = _revealAmong(task, word, hash, seal, resultDigest);
        } else {
            require(word.worker() == msg.sender && word & TaskWord.REVEALED == 0);
            ContributionData storage own = task.contributions[0];
            require(own.hash == hash && own.seal == seal);
            own.hash = resultDigest;
            own.seal = 0;
            word |= TaskWord.REVEALED;
        }
        task.word = word;
        emit TaskReveal(taskId, msg.sender, resultDigest);
    }

    /// Starts over after nobody revealed. Stakes stay locked and no deadline moves.
    function reopen(bytes32 taskId) external {
        TaskData storage task = _tasks[taskId];
        uint256 word = task.word;
        require(word.state() == TASK_REVEALING);
        DealView deal = DealCode.load(word.deal());
        require(deal.workerpoolOwner() == msg.sender);
        require(_finalDeadline(deal) > block.timestamp);
        require(_revealDeadline(deal, word) <= block.timestamp);
        if (word & TaskWord.SEVERAL != 0) {
            require(word.reveals() == 0);
            _rejectWinners(task, word);
            word &= ~TaskWord.ROUND;
        } else {
            require(word & TaskWord.REVEALED == 0);
            word = _rejectOnly(task, word);
        }
        task.word = word.withState(TASK_ACTIVE);
        emit TaskReopen(taskId);
    }

    function finalize(bytes32 taskId, bytes calldata results, bytes calldata resultsCallback)
        external
    {
        TaskData storage task = _tasks[taskId];
        uint256 word = task.word;
        require(word.state() == TASK_REVEALING);
        DealView deal = DealCode.load(word.deal());
        require(deal.workerpoolOwner() == msg.sender);
        require(_finalDeadline(deal) > block.timestamp);
        bytes32 digest;
        if (word & TaskWord.SEVERAL != 0) {
            uint256 revealed = word.reveals();
            bool late = _revealDeadline(deal, word) <= block.timestamp;
            require(revealed == word.winners() || (revealed > 0 && late));
            digest = task.contributions[word.consensus() - 1].hash;
        } else {
            require(word & TaskWord.REVEALED != 0);
            digest = task.contributions[0].hash;
        }
        _checkTold(deal, digest, resultsCallback);
        task.word = word.withState(_keep(task, results, resultsCallback));
        if (word & TaskWord.SEVERAL != 0) _payWorkers(taskId, task, deal, word.count());
        else _payOneWorker(taskId, deal, word.worker());
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
        uint256 dealWord = _deals[dealid];
        require(dealWord != 0);
        DealView deal = DealCode.load(DealWord.number(dealWord));
        bool wide = deal.flags() & DealCode.WIDE != 0;
        uint256 first = wide ? deal.wideFirst() : DealWord.first(dealWord);
        require(index >= first && index - first < deal.size());
        taskid = keccak256(abi.encode(dealid, index));
        TaskData storage task = _tasks[taskid];
        require(task.word == 0);
        task.word = TASK_ACTIVE | (DealWord.number(dealWord) << TaskWord.DEAL_AT)
            | _layout(task, index - first, deal.trust());
        emit TaskInitialize(taskid, deal.workerpool());
    }

    /// The index of a task and whether it may have several contributions.
    function _layout(TaskData storage task, uint256 index, uint256 trust)
        private
        returns (uint256)
    {
        if (index > TaskWord.INDEX_MAX) {
            task.index = index;
            return TaskWord.SEVERAL | TaskWord.WIDE_INDEX;
        }
        return (index << TaskWord.INDEX_AT) | (trust == 1 ? 0 : TaskWord.SEVERAL);
    }

    function _claim(bytes32 taskid) private {
        TaskData storage task = _tasks[taskid];
        uint256 word = task.word;
        require(word.state() == TASK_ACTIVE || word.state() == TASK_REVEALING);
        DealView deal = DealCode.load(word.deal());
        require(_finalDeadline(deal) <= block.timestamp);
        task.word = word.withState(TASK_FAILED);
        (uint256 out, uint256 kitty) = _settleFailure(taskid, deal);
        uint256 stake = deal.workerStake();
        if (word & TaskWord.SEVERAL != 0) {
            uint256 count = word.count();
            for (uint256 i = 0; i < count; ++i) {
                _giveBack(ContributionWord.worker(task.contributions[i].word), stake);
            }
            out += stake * count;
        } else if (word.worker() != address(0)) {
            _giveBack(word.worker(), stake);
            out += stake;
        }
        unchecked {
            uint256 vault = _vault;
            uint256 changed = vault - out + (kitty << Vault.KITTY_AT);
            if (changed != vault) _vault = changed;
        }
        emit TaskClaimed(taskid);
    }

    /// Locks the caller's stake and returns its score.
    function _stake(DealView deal) private returns (uint256 score) {
        uint256 stake = deal.workerStake();
        score = AccountWord.score(_lock(msg.sender, stake));
        unchecked {
            if (stake != 0) _vault += stake;
        }
    }

    function _contributionDeadline(DealView deal) internal pure returns (uint256) {
        return deal.startTime() + CONTRIBUTION_DEADLINE_RATIO * deal.clock();
    }

    function _finalDeadline(DealView deal) private pure returns (uint256) {
        return deal.startTime() + FINAL_DEADLINE_RATIO * deal.clock();
    }

    /// Counted from the moment of the consensus.
    function _revealDeadline(DealView deal, uint256 word) private pure returns (uint256) {
        return deal.startTime() + word.delay() + REVEAL_DEADLINE_RATIO * deal.clock();
    }

    function _delay(DealView deal) private view returns (uint256) {
        return (block.timestamp - deal.startTime()) << TaskWord.DELAY_AT;
    }
}
