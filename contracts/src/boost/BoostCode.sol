// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StoredCode} from "../code/StoredCode.sol";

/// Where a Boost deal is and what is asked of it first: the number of its contract (40), its
/// number of tasks (16), its deadline (40), the owner of its workerpool (160).
library BoostWord {
    uint256 internal constant SIZE_AT = 40;
    uint256 internal constant DEADLINE_AT = 56;
    uint256 internal constant SCHEDULER_AT = 96;

    function number(uint256 word) internal pure returns (uint256) {
        return uint40(word);
    }

    function size(uint256 word) internal pure returns (uint256) {
        return uint16(word >> SIZE_AT);
    }

    /// From this moment on no result is taken, in seconds since 1970.
    function deadline(uint256 word) internal pure returns (uint256) {
        return uint40(word >> DEADLINE_AT);
    }

    function scheduler(uint256 word) internal pure returns (address) {
        return address(uint160(word >> SCHEDULER_AT));
    }
}

/// The rest of a Boost deal read into memory: where its first word lies.
type BoostView is uint256;

/// The rest of a Boost deal as the code of a contract. Numbers are big-endian, without padding:
///
///     app owner 20, workerpool price 8, first index 2, flags 1, worker's percentage 1
///     sponsor 20, app price 8, tag 3
///     WIDE:      the prices of workerpool, app and dataset 12 each, which are zero elsewhere
///     DATASET:   owner 20, price 8
///     SPONSORED: requester 20, otherwise the sponsor
///     CALLBACK:  callback 20, otherwise none
library BoostCode {
    uint256 internal constant WIDE = 1;
    uint256 internal constant DATASET = 2;
    uint256 internal constant SPONSORED = 4;
    uint256 internal constant CALLBACK = 8;

    uint256 internal constant HEAD_BYTES = 63;
    uint256 internal constant WIDE_BYTES = 36;
    uint256 internal constant DATASET_BYTES = 28;
    uint256 internal constant ADDRESS_BYTES = 20;
    uint256 internal constant BYTES_MAX =
        HEAD_BYTES + WIDE_BYTES + DATASET_BYTES + 2 * ADDRESS_BYTES;

    /// Reads the deal that the hub made as its `number`-th contract.
    function load(uint256 number) internal view returns (BoostView deal) {
        address place = StoredCode.addressOf(address(this), number);
        uint256 prefix = StoredCode.PREFIX;
        uint256 bytes_ = BYTES_MAX;
        assembly ("memory-safe") {
            deal := mload(0x40)
            // A word more: the last getters read beyond the last field.
            mstore(0x40, add(deal, add(bytes_, 0x20)))
            extcodecopy(place, deal, prefix, bytes_)
        }
    }

    function appOwner(BoostView deal) internal pure returns (address) {
        return address(uint160(_word(deal, 0) >> 96));
    }

    function appPrice(BoostView deal) internal pure returns (uint256) {
        if (has(deal, WIDE)) return uint96(_word(deal, HEAD_BYTES) >> 64);
        return uint64(_word(deal, 32) >> 32);
    }

    function workerpoolPrice(BoostView deal) internal pure returns (uint256) {
        if (has(deal, WIDE)) return _word(deal, HEAD_BYTES) >> 160;
        return uint64(_word(deal, 0) >> 32);
    }

    /// The first index of the deal in its request order.
    function first(BoostView deal) internal pure returns (uint256) {
        return uint16(_word(deal, 0) >> 16);
    }

    /// What the worker gets of the price of the workerpool for one task.
    function workerReward(BoostView deal) internal pure returns (uint256) {
        unchecked {
            return workerpoolPrice(deal) * uint8(_word(deal, 0)) / 100;
        }
    }

    function sponsor(BoostView deal) internal pure returns (address) {
        return address(uint160(_word(deal, 32) >> 96));
    }

    /// The last three bytes of the tag.
    function shortTag(BoostView deal) internal pure returns (bytes3) {
        return bytes3(uint24(_word(deal, 32) >> 8));
    }

    function datasetOwner(BoostView deal) internal pure returns (address) {
        return _optional(deal, DATASET, _datasetAt(deal));
    }

    function datasetPrice(BoostView deal) internal pure returns (uint256) {
        if (has(deal, WIDE)) return uint96(_word(deal, HEAD_BYTES + 4));
        if (!has(deal, DATASET)) return 0;
        return uint64(_word(deal, _datasetAt(deal)) >> 32);
    }

    function requester(BoostView deal) internal pure returns (address) {
        if (!has(deal, SPONSORED)) return sponsor(deal);
        return _optional(deal, SPONSORED, _requesterAt(deal));
    }

    function callback(BoostView deal) internal pure returns (address) {
        uint256 place = _requesterAt(deal) + (has(deal, SPONSORED) ? ADDRESS_BYTES : 0);
        return _optional(deal, CALLBACK, place);
    }

    function has(BoostView deal, uint256 flag) internal pure returns (bool) {
        return (_word(deal, 0) >> 8) & flag != 0;
    }

    function _datasetAt(BoostView deal) private pure returns (uint256) {
        return HEAD_BYTES + (has(deal, WIDE) ? WIDE_BYTES : 0);
    }

    function _requesterAt(BoostView deal) private pure returns (uint256) {
        return _datasetAt(deal) + (has(deal, DATASET) ? DATASET_BYTES : 0);
    }

    function _optional(BoostView deal, uint256 flag, uint256 place) private pure returns (address) {
        return has(deal, flag) ? address(uint160(_word(deal, place) >> 96)) : address(0);
    }

    function _word(BoostView deal, uint256 place) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(deal, place))
        }
    }
}
