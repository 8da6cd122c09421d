// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StoredCode} from "../code/StoredCode.sol";

/// What an entry was created with, kept as the code of a contract of its own. It never changes.
///
///     address of the entry   20 bytes
///     checksum               32 bytes; a workerpool has none
///     lengths                 2 bytes for each field but the last, which ends with the code
///     fields
///
/// A byte costs 200 gas, hence no words of the ABI.
library Record {
    /// Where the checksum is, or the first length where there is none.
    uint256 internal constant BODY = 20;
    /// What an encoder begins with: `write` puts the address of the entry there.
    bytes20 internal constant BLANK = bytes20(0);
    uint256 private constant LENGTH_BYTES = 2;

    /// Writes a record that starts with BLANK. Its memory is used up: it is no valid `bytes` after.
    /// A field that is too long for the two bytes of its length is too long for a contract, and
    /// refused as such.
    function write(address entry, bytes memory record) internal {
        uint256 size = record.length;
        uint256 from;
        // The address ends where BLANK does. What comes before it in its word is the length, which
        // `StoredCode.write` overwrites anyway.
        assembly ("memory-safe") {
            from := add(record, 0x20)
            mstore(add(record, BODY), entry)
        }
        StoredCode.write(from, size);
    }

    /// Whose record it is.
    function entryOf(address record) internal view returns (address entry) {
        uint256 prefix = StoredCode.PREFIX;
        // The low 20 bytes of the first scratch word; the rest of it is not zero by itself.
        assembly ("memory-safe") {
            mstore(0, 0)
            extcodecopy(record, sub(0x20, BODY), prefix, BODY)
            entry := mload(0)
        }
    }

    /// Zero when there is no record.
    function checksum(address record) internal view returns (bytes32) {
        return bytes32(StoredCode.read(record, BODY));
    }

    /// One of the `count` fields whose lengths begin at `start`. Empty when there is no record.
    function field(address record, uint256 start, uint256 index, uint256 count)
        internal
        view
        returns (bytes memory found)
    {
        bytes memory data = StoredCode.read(record, start);
        if (data.length == 0) return data;
        uint256 from = LENGTH_BYTES * (count - 1);
        for (uint256 before = 0; before < index; ++before) from += _length(data, before);
        uint256 size = index == count - 1 ? data.length - from : _length(data, index);
        // The field becomes a `bytes` where it lies: its length goes over what comes before it.
        assembly ("memory-safe") {
            found := add(data, from)
            mstore(found, size)
        }
    }

    function _length(bytes memory data, uint256 index) private pure returns (uint256) {
        uint256 first = LENGTH_BYTES * index;
        return uint256(uint8(data[first])) << 8 | uint8(data[first + 1]);
    }
}
