// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StoredCode} from "../code/StoredCode.sol";
import {HubStorage, TaskData} from "./Storage.sol";
import {TaskWord, Vault} from "./Words.sol";
import {Link} from "./Link.sol";

/// How the results of a task are kept, in the slot `results` of the task:
/// - LINKED: the hash of the usual link;
/// - INLINE: at most 31 bytes, the length in the last byte (all zero when there are none);
/// - STORED: a contract (160), the bytes of the results in it (24), and whether those are the
///   hash of a link (1); what the callback was told follows in the contract.
abstract contract Results is HubStorage {
    uint256 private constant INLINE_BYTES_MAX = 31;
    uint256 private constant LENGTH_AT = 160;
    uint256 private constant LINK = 1 << 184;

    /// Keeps what there is to keep and returns the state of the task that says how.
    function _keep(TaskData storage task, bytes calldata results, bytes calldata told)
        internal
        returns (uint256 state)
    {
        (bool isLink, bytes32 hash) = Link.parse(results);
        if (told.length > 0 || (!isLink && results.length > INLINE_BYTES_MAX)) {
            task.results = bytes32(_writeResults(isLink, hash, results, told));
            return TaskWord.STORED;
        }
        if (isLink) {
            task.results = hash;
            return TaskWord.LINKED;
        }
        if (results.length > 0) task.results = _inline(results);
        return TaskWord.INLINE;
    }

    /// Makes a contract of bytes in memory and counts it.
    function _makeCode(uint256 from, uint256 size) internal returns (address place) {
        place = StoredCode.write(from, size);
        unchecked {
            _vault += Vault.CREATION;
        }
    }

    function _readResults(TaskData storage task)
        internal
        view
        returns (bytes memory results, bytes memory told)
    {
        uint256 state = TaskWord.state(task.word);
        bytes32 kept = task.results;
        if (state == TaskWord.LINKED) return (Link.write(kept), told);
        if (state == TaskWord.INLINE) return (_unpack(kept), told);
        if (state == TaskWord.STORED) return _readStored(uint256(kept));
    }

    function _inline(bytes calldata results) private pure returns (bytes32) {
        return bytes32(results) | bytes32(results.length);
    }

    function _unpack(bytes32 kept) private pure returns (bytes memory results) {
        results = new bytes(uint8(uint256(kept)));
        for (uint256 i = 0; i < results.length; ++i) results[i] = kept[i];
    }

    function _writeResults(
        bool isLink,
        bytes32 hash,
        bytes calldata results,
        bytes calldata told
    ) private returns (uint256 word) {
        bytes memory data =
            isLink ? abi.encodePacked(hash, told) : abi.encodePacked(results, told);
        uint256 from;
        assembly ("memory-safe") {
            from := add(data, 0x20)
        }
        uint256 length = isLink ? 32 : results.length;
        word = uint160(_makeCode(from, data.length)) | (length << LENGTH_AT);
        if (isLink) word |= LINK;
    }

    function _readStored(uint256 word)
        private
        view
        returns (bytes memory results, bytes memory told)
    {
        address place = address(uint160(word));
        uint256 length = uint24(word >> LENGTH_AT);
        told = StoredCode.read(place, length);
        results = StoredCode.read(place, 0);
        assembly ("memory-safe") {
            // Only the part before `told`.
            mstore(results, length)
        }
        if (word & LINK != 0) results = Link.write(bytes32(results));
    }
}
