// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// The results nearly every task has, `{"storage":"ipfs","location":"/ipfs/Qm…"}`: 84 bytes of
/// which 32 say something. A CID of version 0 is the base58 form of 0x1220 and a SHA-256 hash.
library Link {
    uint256 internal constant BYTES = 84;

    uint256 private constant DIGITS_AT = 36;
    uint256 private constant DIGITS = 46;
    uint256 private constant HALF = 23;
    uint256 private constant BASE = 58;
    uint256 private constant BASE_TO_HALF = 58 ** 23;
    /// What a SHA-256 multihash begins with, above the 32 bytes of the hash.
    uint256 private constant SHA2_256 = 0x1220;
    bytes32 private constant HEAD = '{"storage":"ipfs","location":"/i';
    bytes private constant ALPHABET =
        "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

    /// Value of each character from `1` on, 0xff for those that are no digit.
    uint256 private constant VALUES_0 =
        0x000102030405060708ffffffffffffff090a0b0c0d0e0f10ff1112131415ff16;
    uint256 private constant VALUES_1 =
        0x1718191a1b1c1d1e1f20ffffffffffff2122232425262728292a2bff2c2d2e2f;
    uint256 private constant VALUES_2 =
        0x30313233343536373839ffffffffffffffffffffffffffffffffffffffffffff;

    /// The hash in `results`, when they have exactly this form; writing that hash with {write}
    /// gives the same bytes again.
    function parse(bytes calldata results) internal pure returns (bool found, bytes32 hash) {
        if (results.length != BYTES || bytes32(results[:32]) != HEAD) return (false, 0);
        if (bytes4(results[32:36]) != "pfs/" || bytes2(results[82:]) != '"}') return (false, 0);
        (uint256 high, bool valid) = _half(results, DIGITS_AT);
        (uint256 low, bool alsoValid) = _half(results, DIGITS_AT + HALF);
        if (!valid || !alsoValid) return (false, 0);
        (uint256 top, uint256 rest) = _multiply(high, BASE_TO_HALF);
        unchecked {
            uint256 sum = rest + low;
            if (sum < rest) ++top;
            return (top == SHA2_256, bytes32(sum));
        }
    }

    /// The results that say `hash`.
    function write(bytes32 hash) internal pure returns (bytes memory results) {
        bytes memory digits = new bytes(DIGITS);
        (uint256 high, uint256 low) = (SHA2_256, uint256(hash));
        for (uint256 i = DIGITS; i > 0; --i) {
            uint256 digit;
            (high, low, digit) = _divide(high, low);
            digits[i - 1] = ALPHABET[digit];
        }
        return abi.encodePacked(HEAD, "pfs/", digits, '"}');
    }

    /// The number that 23 digits say, which has 135 bits.
    function _half(bytes calldata results, uint256 start)
        private
        pure
        returns (uint256 value, bool valid)
    {
        assembly ("memory-safe") {
            let table := mload(0x40)
            mstore(table, VALUES_0)
            mstore(add(table, 0x20), VALUES_1)
            mstore(add(table, 0x40), VALUES_2)
            let wrong := 0
            let place := add(results.offset, start)
            for { let end := add(place, HALF) } lt(place, end) { place := add(place, 1) } {
                // Characters below `1` wrap around and are too large as well.
                let position := sub(byte(0, calldataload(place)), 49)
                let digit := byte(0, mload(add(table, and(position, 0x7f))))
                wrong := or(wrong, or(gt(position, 73), gt(digit, 57)))
                value := add(mul(value, BASE), digit)
            }
            valid := iszero(wrong)
        }
    }

    /// A product of 512 bits.
    function _multiply(uint256 a, uint256 b) private pure returns (uint256 high, uint256 low) {
        assembly ("memory-safe") {
            let modulo := mulmod(a, b, not(0))
            low := mul(a, b)
            high := sub(sub(modulo, low), lt(modulo, low))
        }
    }

    /// One digit off a number of two words, the upper of which is small.
    function _divide(uint256 high, uint256 low)
        private
        pure
        returns (uint256 highQuotient, uint256 lowQuotient, uint256 remainder)
    {
        highQuotient = high / BASE;
        uint256 carried = high % BASE;
        // 2^256 = BASE * WORD_QUOTIENT + WORD_REMAINDER.
        uint256 wordQuotient = type(uint256).max / BASE;
        uint256 wordRemainder = type(uint256).max % BASE + 1;
        uint256 tail = carried * wordRemainder + low % BASE;
        lowQuotient = carried * wordQuotient + low / BASE + tail / BASE;
        remainder = tail % BASE;
    }
}
