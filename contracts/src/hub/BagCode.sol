// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StoredCode} from "../code/StoredCode.sol";

/// Tasks that one worker did and settled in one transaction, as the code of a contract:
///
///     worker 20, delay 4, first index 4
///     for each task: digest 32, hash of the link to its results 32
///
/// `delay` is the time of the settlement in seconds after the start of the deal, the first index
/// counts from the first of the deal.
library BagCode {
    uint256 internal constant HEAD_BYTES = 28;
    uint256 internal constant TASK_BYTES = 64;

    struct Bag {
        address worker;
        uint256 delay;
        uint256 first;
    }

    /// The bag the hub made as its `number`-th contract, and its task at `position`.
    function read(uint256 number, uint256 position)
        internal
        view
        returns (Bag memory bag, bytes32 digest, bytes32 link)
    {
        address place = StoredCode.addressOf(address(this), number);
        uint256 head;
        uint256 taskAt = StoredCode.PREFIX + HEAD_BYTES + TASK_BYTES * position;
        uint256 prefix = StoredCode.PREFIX;
        assembly ("memory-safe") {
            extcodecopy(place, 0, prefix, 0x20)
            head := mload(0)
            extcodecopy(place, 0, taskAt, 0x40)
            digest := mload(0)
            link := mload(0x20)
        }
        bag.worker = address(uint160(head >> 96));
        bag.delay = uint32(head >> 64);
        bag.first = uint32(head >> 32);
    }

    /// Writes the head of a bag to memory.
    function writeHead(uint256 place, Bag memory bag) internal pure returns (uint256) {
        uint256 head =
            (uint256(uint160(bag.worker)) << 96) | (bag.delay << 64) | (bag.first << 32);
        assembly ("memory-safe") {
            mstore(place, head)
        }
        return place + HEAD_BYTES;
    }

    function writeTask(uint256 place, bytes32 digest, bytes32 link) internal pure returns (uint256) {
        assembly ("memory-safe") {
            mstore(place, digest)
            mstore(add(place, 0x20), link)
        }
        return place + TASK_BYTES;
    }
}
