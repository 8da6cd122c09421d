// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Bytes kept as the code of a contract: 200 gas a byte instead of 690, and one account to open
/// for all of them. The address follows from the creator and how many contracts it has created,
/// so a small number is enough to find them again.
library StoredCode {
    /// What comes before the bytes, so that the code can neither be run nor be refused (EIP-3541).
    uint256 internal constant PREFIX = 1;

    /// The init code returns what follows it:
    /// PUSH2 size, DUP1, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURNDATASIZE, RETURN.
    uint256 private constant INIT = 0x610000_80600a3d393df3_00;
    uint256 private constant INIT_BYTES = 11;

    /// Puts the bytes `[from, from + size_)` of memory into a new contract. The 32 bytes before
    /// `from` are overwritten.
    function write(uint256 from, uint256 size_) internal returns (address place) {
        // The init code has two bytes for it; a chain that follows EIP-170 allows fewer.
        require(size_ < type(uint16).max);
        uint256 init = INIT | ((size_ + PREFIX) << 64);
        assembly ("memory-safe") {
            mstore(sub(from, 0x20), init)
            place := create(0, sub(from, INIT_BYTES), add(size_, INIT_BYTES))
        }
        // Out of gas, or more bytes than a contract may have.
        require(place != address(0));
    }

    /// How many bytes are stored; zero when there is no such contract.
    function size(address place) internal view returns (uint256) {
        uint256 length = place.code.length;
        return length == 0 ? 0 : length - PREFIX;
    }

    /// The stored bytes from `start` to the end.
    function read(address place, uint256 start) internal view returns (bytes memory data) {
        uint256 length = size(place);
        data = new bytes(length > start ? length - start : 0);
        assembly ("memory-safe") {
            extcodecopy(place, add(data, 0x20), add(start, PREFIX), mload(data))
        }
    }

    /// The contract that `creator` made as its `nonce`-th, which is the hash of both in RLP.
    /// `nonce` is between 1, a contract's first, and 2^40 - 1.
    function addressOf(address creator, uint256 nonce) internal pure returns (address place) {
        assembly ("memory-safe") {
            // Bytes of the nonce beyond its prefix; a small one is its own prefix.
            let extra := 0
            let tail := shl(72, nonce)
            if gt(nonce, 0x7f) {
                extra := add(add(1, gt(nonce, 0xff)), gt(nonce, 0xffff))
                extra := add(add(extra, gt(nonce, 0xffffff)), gt(nonce, 0xffffffff))
                tail := or(shl(72, add(0x80, extra)), shl(sub(72, shl(3, extra)), nonce))
            }
            let head := or(shl(248, add(0xd6, extra)), shl(240, 0x94))
            mstore(0, or(or(head, shl(80, creator)), tail))
            place := and(keccak256(0, add(23, extra)), 0xffffffffffffffffffffffffffffffffffffffff)
        }
    }
}
