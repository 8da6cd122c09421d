// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Storage.sol";
import {ContributionWord, TaskWord} from "./Words.sol";
import {Consensus} from "./Consensus.sol";
import {DealCode, DealView} from "./DealCode.sol";

/// How contributions are kept. A task of a deal with trust 1 has one, whose worker, weight and
/// progress are in the word of the task; reopened, or with more trust, it has several
/// ({TaskWord.SEVERAL}), each with a word of its own.
abstract contract Contributions is Consensus {
    using DealCode for DealView;
    using TaskWord for uint256;

    function _contributeAlone(
        ContributionData storage own,
        uint256 word,
        bytes32 resultHash,
        bytes32 resultSeal,
        address enclaveChallenge
    ) internal returns (uint256) {
        own.hash = resultHash;
        if (resultSeal != 0) own.seal = resultSeal;
        if (enclaveChallenge != address(0)) {
            own.enclave = enclaveChallenge;
            word |= TaskWord.ENCLAVE;
        }
        return word | (uint256(uint160(msg.sender)) << TaskWord.WORKER_AT);
    }

    function _contributeAmong(
        TaskData storage task,
        uint256 word,
        DealView deal,
        bytes32 resultHash,
        uint256 weight
    ) internal returns (uint256, bool agreed) {
        uint256 count = word.count();
        require(count < TaskWord.COUNT_MAX);
        Standing memory standing = _standing(task, count, resultHash, weight);
        ContributionData storage own = task.contributions[count];
        own.word = uint160(msg.sender)
            | (uint256(CONTRIBUTION_CONTRIBUTED) << ContributionWord.STATUS_AT)
            | (standing.first << ContributionWord.FIRST_AT)
            | (weight << ContributionWord.WEIGHT_AT);
        if (standing.first == count) own.hash = resultHash;
        word += 1 << TaskWord.COUNT_AT;
        uint256 trust = deal.trust();
        agreed = standing.group * trust > standing.total * (trust - 1);
        if (agreed) {
            word |= (standing.winners << TaskWord.WINNERS_AT)
                | ((standing.first + 1) << TaskWord.CONSENSUS_AT);
        }
        return (word, agreed);
    }

    function _keepSeal(
        TaskData storage task,
        uint256 position,
        address enclaveChallenge,
        bytes32 resultSeal
    ) internal {
        ContributionData storage own = task.contributions[position];
        own.seal = resultSeal;
        if (enclaveChallenge == address(0)) return;
        own.enclave = enclaveChallenge;
        own.word |= ContributionWord.ENCLAVE;
    }

    /// The contribution of a task that ends with it.
    function _complete(
        TaskData storage task,
        uint256 word,
        bytes32 resultDigest,
        address enclaveChallenge
    ) internal {
        if (word & TaskWord.SEVERAL != 0) {
            _completeAmong(task, word, resultDigest, enclaveChallenge);
            return;
        }
        task.word = TaskWord.REVEALED
            | _contributeAlone(task.contributions[0], word, resultDigest, 0, enclaveChallenge);
    }

    function _completeAmong(
        TaskData storage task,
        uint256 word,
        bytes32 resultDigest,
        address enclaveChallenge
    ) private {
        ContributionData storage own = task.contributions[0];
        own.word = uint160(msg.sender)
            | (uint256(CONTRIBUTION_PROVED) << ContributionWord.STATUS_AT);
        own.hash = resultDigest;
        if (enclaveChallenge != address(0)) {
            own.enclave = enclaveChallenge;
            own.word |= ContributionWord.ENCLAVE;
        }
        task.word = word | (1 << TaskWord.COUNT_AT) | (1 << TaskWord.WINNERS_AT)
            | (1 << TaskWord.REVEALS_AT) | (1 << TaskWord.CONSENSUS_AT);
    }

    function _revealAmong(
        TaskData storage task,
        uint256 word,
        bytes32 hash,
        bytes32 seal,
        bytes32 digest
    ) internal returns (uint256) {
        uint256 winner = word.consensus() - 1;
        (uint256 position, uint256 own) = _positionOf(task, word.count(), msg.sender);
        require(ContributionWord.status(own) == CONTRIBUTION_CONTRIBUTED);
        require(ContributionWord.first(own) == winner);
        ContributionData storage contribution = task.contributions[position];
        require(contribution.seal == seal);
        ContributionData storage holder = task.contributions[winner];
        if (word.reveals() == 0) {
            require(holder.hash == hash);
            holder.hash = digest;
        } else {
            require(holder.hash == digest);
        }
        contribution.seal = 0;
        contribution.word = ContributionWord.withStatus(own, CONTRIBUTION_PROVED);
        return word + (1 << TaskWord.REVEALS_AT);
    }

    function _rejectWinners(TaskData storage task, uint256 word) internal {
        uint256 winner = word.consensus() - 1;
        uint256 count = word.count();
        for (uint256 i = 0; i < count; ++i) {
            uint256 other = task.contributions[i].word;
            if (ContributionWord.first(other) != winner) continue;
            task.contributions[i].word =
                ContributionWord.withStatus(other, CONTRIBUTION_REJECTED);
        }
    }

    /// From now on there may be several contributions, of which the only one is the first.
    function _rejectOnly(TaskData storage task, uint256 word) internal returns (uint256) {
        ContributionData storage own = task.contributions[0];
        // The smallest weight with this logarithm; a rejected contribution is never weighed.
        uint256 weight = 1 << word.weight();
        own.word = uint160(word.worker())
            | (uint256(CONTRIBUTION_REJECTED) << ContributionWord.STATUS_AT)
            | (word & TaskWord.ENCLAVE == 0 ? 0 : ContributionWord.ENCLAVE)
            | (weight << ContributionWord.WEIGHT_AT);
        return TaskWord.SEVERAL | (word.index() << TaskWord.INDEX_AT)
            | (word.deal() << TaskWord.DEAL_AT) | (1 << TaskWord.COUNT_AT);
    }
}
