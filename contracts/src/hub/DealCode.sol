// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StoredCode} from "../code/StoredCode.sol";

/// A deal read into memory: where its first word lies.
type DealView is uint256;

/// A deal as the code of a contract: it never changes, and one account is cheaper to open than
/// three slots. Numbers are big-endian, without padding:
///
///     dealid 32
///     workerpool 20, price 8, workClockTimeRef 4
///     workerpool owner 20, start 5, trust 2, flags 2, worker stake ratio 2, reward ratio 1
///     app owner 20, price 8, number of tasks 4
///     sponsor 20, tag 2
///     WIDE:        nine words, see below; what they say instead is zero above
///     DATASET:     dataset 20, owner 20, price 8
///     SPONSORED:   requester 20, otherwise the sponsor
///     BENEFICIARY: beneficiary 20, otherwise the requester
///     CALLBACK:    callback 20, otherwise none
///     params to the end
library DealCode {
    uint256 internal constant DATASET = 1;
    uint256 internal constant SPONSORED = 2;
    uint256 internal constant BENEFICIARY = 4;
    uint256 internal constant CALLBACK = 8;
    uint256 internal constant WIDE = 16;

    uint256 internal constant HEAD_BYTES = 150;
    uint256 internal constant DATASET_BYTES = 48;
    uint256 internal constant ADDRESS_BYTES = 20;
    /// Everything but the parameters.
    uint256 internal constant FIXED_BYTES =
        HEAD_BYTES + WIDE_BYTES + DATASET_BYTES + 3 * ADDRESS_BYTES;

    // The words of a deal some number of which is too large for its place.
    uint256 internal constant WIDE_TRUST = 0;
    uint256 internal constant WIDE_STAKE = 1;
    uint256 internal constant WIDE_REWARD = 2;
    uint256 internal constant WIDE_FIRST = 3;
    uint256 internal constant WIDE_SIZE = 4;
    uint256 internal constant WIDE_APP_PRICE = 5;
    uint256 internal constant WIDE_POOL_PRICE = 6;
    uint256 internal constant WIDE_DATASET_PRICE = 7;
    uint256 internal constant WIDE_TAG = 8;
    uint256 internal constant WIDE_BYTES = 9 * 32;

    /// Reads the deal that the hub made as its `number`-th contract, without its parameters.
    function load(uint256 number) internal view returns (DealView deal) {
        address place = StoredCode.addressOf(address(this), number);
        uint256 prefix = StoredCode.PREFIX;
        uint256 bytes_ = FIXED_BYTES;
        assembly ("memory-safe") {
            deal := mload(0x40)
            // A word more: the last getters read beyond the last field.
            mstore(0x40, add(deal, add(bytes_, 0x20)))
            extcodecopy(place, deal, prefix, bytes_)
        }
    }

    function dealid(DealView deal) internal pure returns (bytes32 value) {
        assembly ("memory-safe") {
            value := mload(deal)
        }
    }

    function workerpool(DealView deal) internal pure returns (address) {
        return address(uint160(_word(deal, 32) >> 96));
    }

    function workerpoolPrice(DealView deal) internal pure returns (uint256) {
        if (_has(deal, WIDE)) return _wide(deal, WIDE_POOL_PRICE);
        return uint64(_word(deal, 32) >> 32);
    }

    /// The unit of all deadlines, in seconds.
    function clock(DealView deal) internal pure returns (uint256) {
        return uint32(_word(deal, 32));
    }

    function workerpoolOwner(DealView deal) internal pure returns (address) {
        return address(uint160(_word(deal, 64) >> 96));
    }

    function startTime(DealView deal) internal pure returns (uint256) {
        return uint40(_word(deal, 64) >> 56);
    }

    function trust(DealView deal) internal pure returns (uint256) {
        if (_has(deal, WIDE)) return _wide(deal, WIDE_TRUST);
        return uint16(_word(deal, 64) >> 40);
    }

    function flags(DealView deal) internal pure returns (uint256) {
        return uint16(_word(deal, 64) >> 24);
    }

    function workerStake(DealView deal) internal pure returns (uint256) {
        if (_has(deal, WIDE)) return _wide(deal, WIDE_STAKE);
        unchecked {
            return uint64(_word(deal, 32) >> 32) * uint256(uint16(_word(deal, 64) >> 8)) / 100;
        }
    }

    function rewardRatio(DealView deal) internal pure returns (uint256) {
        if (_has(deal, WIDE)) return _wide(deal, WIDE_REWARD);
        return uint8(_word(deal, 64));
    }

    function appOwner(DealView deal) internal pure returns (address) {
        return address(uint160(_word(deal, 96) >> 96));
    }

    function appPrice(DealView deal) internal pure returns (uint256) {
        if (_has(deal, WIDE)) return _wide(deal, WIDE_APP_PRICE);
        return uint64(_word(deal, 96) >> 32);
    }

    /// How many tasks the deal has.
    function size(DealView deal) internal pure returns (uint256) {
        if (_has(deal, WIDE)) return _wide(deal, WIDE_SIZE);
        return uint32(_word(deal, 96));
    }

    function sponsor(DealView deal) internal pure returns (address) {
        return address(uint160(_word(deal, 128) >> 96));
    }

    function tag(DealView deal) internal pure returns (bytes32) {
        if (_has(deal, WIDE)) return bytes32(_wide(deal, WIDE_TAG));
        return bytes32(uint256(uint16(_word(deal, 128) >> 80)));
    }

    /// Only for a deal that is {WIDE}; otherwise the first index is in {DealWord}.
    function wideFirst(DealView deal) internal pure returns (uint256) {
        return _wide(deal, WIDE_FIRST);
    }

    function dataset(DealView deal) internal pure returns (address) {
        return _optional(deal, DATASET, _datasetAt(deal));
    }

    function datasetOwner(DealView deal) internal pure returns (address) {
        return _optional(deal, DATASET, _datasetAt(deal) + ADDRESS_BYTES);
    }

    function datasetPrice(DealView deal) internal pure returns (uint256) {
        if (!_has(deal, DATASET)) return 0;
        if (_has(deal, WIDE)) return _wide(deal, WIDE_DATASET_PRICE);
        return uint64(_word(deal, _datasetAt(deal) + ADDRESS_BYTES) >> 32);
    }

    function requester(DealView deal) internal pure returns (address) {
        if (!_has(deal, SPONSORED)) return sponsor(deal);
        return _optional(deal, SPONSORED, _partiesAt(deal));
    }

    function beneficiary(DealView deal) internal pure returns (address) {
        if (!_has(deal, BENEFICIARY)) return requester(deal);
        return _optional(deal, BENEFICIARY, _partiesAt(deal) + _bytesOf(deal, SPONSORED));
    }

    function callback(DealView deal) internal pure returns (address) {
        uint256 place =
            _partiesAt(deal) + _bytesOf(deal, SPONSORED) + _bytesOf(deal, BENEFICIARY);
        return _optional(deal, CALLBACK, place);
    }

    /// Where the parameters begin.
    function paramsAt(DealView deal) internal pure returns (uint256) {
        return _partiesAt(deal) + _bytesOf(deal, SPONSORED) + _bytesOf(deal, BENEFICIARY)
            + _bytesOf(deal, CALLBACK);
    }

    function _has(DealView deal, uint256 flag) private pure returns (bool) {
        return (_word(deal, 64) >> 24) & flag != 0;
    }

    function _word(DealView deal, uint256 place) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(deal, place))
        }
    }

    function _wide(DealView deal, uint256 position) private pure returns (uint256) {
        return _word(deal, HEAD_BYTES + 32 * position);
    }

    function _optional(DealView deal, uint256 flag, uint256 place) private pure returns (address) {
        return _has(deal, flag) ? address(uint160(_word(deal, place) >> 96)) : address(0);
    }

    function _datasetAt(DealView deal) private pure returns (uint256) {
        return HEAD_BYTES + (_has(deal, WIDE) ? WIDE_BYTES : 0);
    }

    function _partiesAt(DealView deal) private pure returns (uint256) {
        return _datasetAt(deal) + (_has(deal, DATASET) ? DATASET_BYTES : 0);
    }

    function _bytesOf(DealView deal, uint256 flag) private pure returns (uint256) {
        return _has(deal, flag) ? ADDRESS_BYTES : 0;
    }
}
