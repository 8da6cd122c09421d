// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Storage.sol";
import {ContributionWord, TaskWord} from "./Words.sol";

/// Weighs contributions against each other. The weight of a group is the product of those of
/// its members, the total is one more than the sum of all groups; both are computed anew from
/// the few contributions there are, instead of being kept.
abstract contract Consensus is HubStorage {
    using ContributionWord for uint256;

    /// Where a new contribution stands. `first`: position of the first one with the same
    /// result, its own if there is none; `group`: weight of that group with the new one;
    /// `total`: the consensus total with it; `winners`: members of the group with it.
    struct Standing {
        uint256 first;
        uint256 group;
        uint256 total;
        uint256 winners;
    }

    /// The weight of a worker with this score.
    function _weightOf(uint256 score) internal pure returns (uint256) {
        unchecked {
            uint256 third = score / 3;
            return (third > 3 ? third : 3) - 1;
        }
    }

    function _log2(uint256 value) internal pure returns (uint256 result) {
        unchecked {
            while (value > 1) {
                value >>= 1;
                ++result;
            }
        }
    }

    /// Refuses a second contribution of the same worker.
    function _checkNew(TaskData storage task, uint256 count) internal view {
        for (uint256 i = 0; i < count; ++i) {
            require(task.contributions[i].word.worker() != msg.sender);
        }
    }

    /// Where a contribution of `weight` with `resultHash` stands among the `count` before it.
    function _standing(
        TaskData storage task,
        uint256 count,
        bytes32 resultHash,
        uint256 weight
    ) internal view returns (Standing memory standing) {
        uint256[] memory groups = new uint256[](count + 1);
        standing.first = count;
        standing.winners = 1;
        for (uint256 i = 0; i < count; ++i) {
            ContributionData storage other = task.contributions[i];
            uint256 word = other.word;
            uint256 first = word.first();
            if (first == i && other.hash == resultHash) standing.first = i;
            // A rejected contribution counts for nothing, but still knows its result.
            if (word.status() == CONTRIBUTION_REJECTED) continue;
            unchecked {
                if (first == standing.first) ++standing.winners;
            }
            groups[first] = (groups[first] == 0 ? 1 : groups[first]) * word.weight();
        }
        uint256 group = groups[standing.first];
        standing.group = (group == 0 ? 1 : group) * weight;
        groups[standing.first] = standing.group;
        standing.total = 1;
        for (uint256 i = 0; i <= count; ++i) standing.total += groups[i];
    }

    /// Position of the caller's contribution; reverts when there is none.
    function _positionOf(TaskData storage task, uint256 count, address worker)
        internal
        view
        returns (uint256 position, uint256 word)
    {
        for (; position < count; ++position) {
            word = task.contributions[position].word;
            if (word.worker() == worker) return (position, word);
        }
        revert();
    }
}
