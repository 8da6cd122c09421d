// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Contribution, Deal, Resource, Task} from "../hub/Types.sol";
import "../hub/Storage.sol";
import {ContributionWord, DealWord, TaskWord} from "../hub/Words.sol";
import {DealCode, DealView} from "../hub/DealCode.sol";
import {BagCode} from "../hub/BagCode.sol";
import {Link} from "../hub/Link.sol";
import {Results} from "../hub/Results.sol";
import {StoredCode} from "../code/StoredCode.sol";

/// Deals, tasks and contributions in the shapes of the published ABI, put together from what is
/// kept and what follows from it. What is not there reads as zero.
abstract contract Records is Results {
    using DealCode for DealView;
    using TaskWord for uint256;

    function _readDeal(bytes32 id) internal view returns (Deal memory deal) {
        uint256 word = _deals[id];
        if (word == 0) return deal;
        DealView data = DealCode.load(DealWord.number(word));
        deal.app = Resource(DealWord.app(word), data.appOwner(), data.appPrice());
        deal.dataset = Resource(data.dataset(), data.datasetOwner(), data.datasetPrice());
        deal.workerpool =
            Resource(data.workerpool(), data.workerpoolOwner(), data.workerpoolPrice());
        deal.trust = data.trust();
        deal.category = DealWord.category(word);
        deal.tag = data.tag();
        deal.requester = data.requester();
        deal.beneficiary = data.beneficiary();
        deal.callback = data.callback();
        deal.params = _readParams(DealWord.number(word), data.paramsAt());
        deal.startTime = data.startTime();
        deal.botFirst = _firstOf(word, data);
        deal.botSize = data.size();
        deal.workerStake = data.workerStake();
        deal.schedulerRewardRatio = data.rewardRatio();
        deal.sponsor = data.sponsor();
    }

    function _readTask(bytes32 id) internal view returns (Task memory task) {
        TaskData storage data = _tasks[id];
        uint256 word = data.word;
        task.status = word.status();
        if (word.deal() == 0) return task;
        DealView deal = DealCode.load(word.deal());
        task.dealid = deal.dealid();
        task.timeref = deal.clock();
        task.contributionDeadline =
            deal.startTime() + CONTRIBUTION_DEADLINE_RATIO * task.timeref;
        task.finalDeadline = deal.startTime() + FINAL_DEADLINE_RATIO * task.timeref;
        uint256 index = word.index();
        if (word.state() == TaskWord.BAGGED) {
            index = _readBagged(id, word, deal, task);
        } else {
            (task.results, task.resultsCallback) = _readResults(data);
            if (word & TaskWord.SEVERAL != 0) {
                if (word & TaskWord.WIDE_INDEX != 0) index = data.index;
                _readSeveral(id, data, word, deal, task);
            } else if (word.worker() != address(0)) {
                _readOnly(id, data, word, deal, task);
            }
        }
        task.idx = _firstOf(_deals[task.dealid], deal) + index;
    }

    function _readContribution(bytes32 taskid, address worker)
        internal
        view
        returns (Contribution memory)
    {
        TaskData storage data = _tasks[taskid];
        uint256 word = data.word;
        if (word.state() == TaskWord.BAGGED) return _baggedContribution(taskid, word, worker);
        if (word & TaskWord.SEVERAL != 0) return _oneOfSeveral(taskid, data, word, worker);
        if (worker == address(0) || word.worker() != worker) return _none();
        ContributionData storage own = data.contributions[0];
        if (word & TaskWord.REVEALED == 0) {
            uint8 status = CONTRIBUTION_CONTRIBUTED;
            return Contribution(status, own.hash, own.seal, own.enclave, word.weight());
        }
        return _proved(taskid, worker, own.hash, own.enclave, word.weight());
    }

    /// The only contribution of a task.
    function _readOnly(
        bytes32 id,
        TaskData storage data,
        uint256 word,
        DealView deal,
        Task memory task
    ) private view {
        bool revealed = word & TaskWord.REVEALED != 0;
        bytes32 kept = data.contributions[0].hash;
        task.consensusValue = revealed ? _hash(id, kept) : kept;
        if (revealed) task.resultDigest = kept;
        task.revealCounter = revealed ? 1 : 0;
        task.winnerCounter = 1;
        task.revealDeadline = _revealDeadlineOf(deal, word.delay());
        task.contributors = new address[](1);
        task.contributors[0] = word.worker();
    }

    function _readSeveral(
        bytes32 id,
        TaskData storage data,
        uint256 word,
        DealView deal,
        Task memory task
    ) private view {
        uint256 count = word.count();
        task.contributors = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            task.contributors[i] = ContributionWord.worker(data.contributions[i].word);
        }
        if (word.consensus() == 0) return;
        bytes32 kept = data.contributions[word.consensus() - 1].hash;
        bool revealed = word.reveals() > 0;
        task.consensusValue = revealed ? _hash(id, kept) : kept;
        if (revealed) task.resultDigest = kept;
        task.revealCounter = word.reveals();
        task.winnerCounter = word.winners();
        task.revealDeadline = _revealDeadlineOf(deal, word.delay());
    }

    /// A task done in a bag. Returns its index, counted from the first of the deal.
    function _readBagged(bytes32 id, uint256 word, DealView deal, Task memory task)
        private
        view
        returns (uint256)
    {
        (BagCode.Bag memory bag, bytes32 digest, bytes32 hash) =
            BagCode.read(word.bag(), word.index());
        task.results = Link.write(hash);
        task.resultDigest = digest;
        task.consensusValue = _hash(id, digest);
        (task.revealCounter, task.winnerCounter) = (1, 1);
        task.revealDeadline = _revealDeadlineOf(deal, bag.delay);
        task.contributors = new address[](1);
        task.contributors[0] = bag.worker;
        return bag.first + word.index();
    }

    function _baggedContribution(bytes32 taskid, uint256 word, address worker)
        private
        view
        returns (Contribution memory)
    {
        (BagCode.Bag memory bag, bytes32 digest,) = BagCode.read(word.bag(), word.index());
        if (bag.worker != worker) return _none();
        return _proved(taskid, worker, digest, address(0), 0);
    }

    function _oneOfSeveral(
        bytes32 taskid,
        TaskData storage data,
        uint256 word,
        address worker
    ) private view returns (Contribution memory) {
        uint256 count = word.count();
        for (uint256 i = 0; i < count; ++i) {
            ContributionData storage own = data.contributions[i];
            uint256 kept = own.word;
            if (ContributionWord.worker(kept) != worker) continue;
            uint256 first = ContributionWord.first(kept);
            bytes32 hash = data.contributions[first].hash;
            uint256 weight = _log2(ContributionWord.weight(kept));
            bool revealed = word.reveals() > 0 && first + 1 == word.consensus();
            uint256 status = ContributionWord.status(kept);
            if (status == CONTRIBUTION_PROVED) {
                return _proved(taskid, worker, hash, own.enclave, weight);
            }
            if (revealed) hash = _hash(taskid, hash);
            return Contribution(uint8(status), hash, own.seal, own.enclave, weight);
        }
        return _none();
    }

    function _proved(
        bytes32 taskid,
        address worker,
        bytes32 digest,
        address enclave,
        uint256 weight
    ) private pure returns (Contribution memory) {
        bytes32 seal = keccak256(abi.encodePacked(worker, taskid, digest));
        return
            Contribution(CONTRIBUTION_PROVED, _hash(taskid, digest), seal, enclave, weight);
    }

    function _none() private pure returns (Contribution memory none) {}

    function _readParams(uint256 number, uint256 place) private view returns (string memory) {
        return string(StoredCode.read(StoredCode.addressOf(address(this), number), place));
    }

    function _firstOf(uint256 word, DealView deal) private pure returns (uint256) {
        if (deal.flags() & DealCode.WIDE != 0) return deal.wideFirst();
        return DealWord.first(word);
    }

    function _revealDeadlineOf(DealView deal, uint256 delay) private pure returns (uint256) {
        return deal.startTime() + delay + REVEAL_DEADLINE_RATIO * deal.clock();
    }

    function _hash(bytes32 taskid, bytes32 digest) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(taskid, digest));
    }

    function _log2(uint256 value) private pure returns (uint256 result) {
        while (value > 1) {
            value >>= 1;
            ++result;
        }
    }
}
