// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Storage.sol";
import {DealWord, TaskWord, Vault} from "./Words.sol";
import {BagCode} from "./BagCode.sol";
import {DealCode, DealView} from "./DealCode.sol";
import {Link} from "./Link.sol";
import {Tasks} from "./Tasks.sol";

/// Extension: many tasks of a deal in one transaction. Clients of the published interface see
/// completed tasks like any other; only the money of a bag is told of once instead of per task.
abstract contract Bags is Tasks {
    using DealCode for DealView;
    using TaskWord for uint256;

    /// What {contributeAndFinalize} does, for the tasks `firstIndex` to `firstIndex + n - 1` of
    /// a deal: initialized or not, of trust 1, without callback or enclave. Every result is the
    /// usual link (see {Link}). The scheduler authorizes the whole with its signature of
    /// keccak256(worker ‖ dealId ‖ firstIndex ‖ n) as a personal message.
    ///
    /// Logs per task TaskInitialize (unless it was), TaskContribute, TaskConsensus, TaskReveal
    /// and TaskFinalize; the payments follow as one sum for each party, with `dealId` as their
    /// `ref`. Reverts without data when anything is not so.
    function contributeAndFinalizeBag(
        bytes32 dealId,
        uint256 firstIndex,
        bytes32[] calldata digests,
        bytes[] calldata results,
        bytes calldata authorizationSign
    ) external {
        uint256 dealWord = _deals[dealId];
        require(dealWord != 0 && digests.length > 0 && digests.length == results.length);
        DealView deal = DealCode.load(DealWord.number(dealWord));
        require(_contributionDeadline(deal) > block.timestamp);
        require(deal.trust() == 1 && deal.callback() == address(0));
        require(deal.tag() & TAG_TEE == 0);
        _checkBagAuthority(deal, firstIndex, digests.length, authorizationSign);
        _fillBag(deal, _offsetOf(dealWord, deal, firstIndex, digests.length), digests, results);
        _payOnlyWorker(dealId, deal, digests.length);
    }

    function _checkBagAuthority(
        DealView deal,
        uint256 firstIndex,
        uint256 count,
        bytes calldata signature
    ) private view {
        bytes32 message =
            keccak256(abi.encodePacked(msg.sender, deal.dealid(), firstIndex, count));
        require(_isSigned(deal.workerpoolOwner(), _personalMessage(message), signature));
    }

    /// How far into the deal the bag begins.
    function _offsetOf(uint256 dealWord, DealView deal, uint256 firstIndex, uint256 count)
        private
        pure
        returns (uint256 offset)
    {
        // A wide deal has indexes that a bag has no room for.
        require(deal.flags() & DealCode.WIDE == 0);
        offset = firstIndex - DealWord.first(dealWord);
        require(offset < deal.size() && count <= deal.size() - offset);
    }

    function _fillBag(
        DealView deal,
        uint256 offset,
        bytes32[] calldata digests,
        bytes[] calldata results
    ) private {
        uint256 count = digests.length;
        bytes memory data = new bytes(BagCode.HEAD_BYTES + count * BagCode.TASK_BYTES);
        uint256 start;
        assembly ("memory-safe") {
            start := add(data, 0x20)
        }
        uint256 delay = block.timestamp - deal.startTime();
        uint256 place = BagCode.writeHead(start, BagCode.Bag(msg.sender, delay, offset));
        bytes32 dealid = deal.dealid();
        uint256 first = DealWord.first(_deals[dealid]) + offset;
        uint256 number = Vault.nextNonce(_vault);
        uint256 bag = number << TaskWord.BAG_AT;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 taskid = keccak256(abi.encode(dealid, first + i));
            _settleInBag(deal, taskid, bag | (i << TaskWord.INDEX_AT), digests[i], results[i]);
            (bool isLink, bytes32 link) = Link.parse(results[i]);
            require(isLink);
            place = BagCode.writeTask(place, digests[i], link);
        }
        _makeCode(start, data.length);
    }

    /// Completes one task, which nobody has contributed to.
    function _settleInBag(
        DealView deal,
        bytes32 taskid,
        uint256 place,
        bytes32 digest,
        bytes calldata results
    ) private {
        TaskData storage task = _tasks[taskid];
        uint256 word = task.word;
        if (word == 0) {
            emit TaskInitialize(taskid, deal.workerpool());
        } else {
            require(word.state() == TASK_ACTIVE);
            require(word & TaskWord.SEVERAL == 0 || word.count() == 0);
        }
        bytes32 hash = _hashOf(taskid, digest);
        uint256 number = DealWord.number(_deals[deal.dealid()]);
        task.word = place | TaskWord.BAGGED | (number << TaskWord.DEAL_AT);
        emit TaskContribute(taskid, msg.sender, hash);
        emit TaskConsensus(taskid, hash);
        emit TaskReveal(taskid, msg.sender, digest);
        emit TaskFinalize(taskid, results);
    }
}
