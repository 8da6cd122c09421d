// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// A list of 32-bit numbers, eight to a storage word. The first of them is the length of the list,
/// so the word that tells the length has room for seven numbers: appending the first number takes
/// one new word, and the next six change that word alone.
library PackedList {
    /// All the words that 2^32 numbers fill; one that was never written costs nothing.
    struct List {
        uint256[1 << 29] words;
    }

    uint256 private constant NUMBERS_PER_WORD = 8;
    uint256 private constant NUMBER_BITS = 32;

    function length(List storage list) internal view returns (uint256) {
        return uint32(list.words[0]);
    }

    /// The number at a position below the length.
    function get(List storage list, uint256 position) internal view returns (uint256) {
        return _read(list, position + 1);
    }

    /// Puts a number of 32 bits at the end and returns its position. The caller sees to it that
    /// there are fewer than 2^32 - 1 numbers.
    function append(List storage list, uint256 number) internal returns (uint256 position) {
        uint256 head = list.words[0];
        position = uint32(head);
        (uint256 word, uint256 shift) = _place(position + 1);
        // What lies beyond the end is zero, and the length cannot carry into the first number.
        if (word == 0) {
            list.words[0] = (head + 1) | (number << shift);
        } else {
            list.words[0] = head + 1;
            list.words[word] |= number << shift;
        }
    }

    /// Takes out the number at a position: the last one moves there and is returned. It is the
    /// removed one itself when that stood last.
    function remove(List storage list, uint256 position) internal returns (uint256 moved) {
        uint256 count = length(list);
        moved = _read(list, count);
        _write(list, position + 1, moved);
        _write(list, count, 0);
        _write(list, 0, count - 1);
    }

    function _read(List storage list, uint256 index) private view returns (uint256) {
        (uint256 word, uint256 shift) = _place(index);
        return uint32(list.words[word] >> shift);
    }

    function _write(List storage list, uint256 index, uint256 number) private {
        (uint256 word, uint256 shift) = _place(index);
        uint256 others = list.words[word] & ~(uint256(type(uint32).max) << shift);
        list.words[word] = others | (number << shift);
    }

    function _place(uint256 index) private pure returns (uint256 word, uint256 shift) {
        return (index / NUMBERS_PER_WORD, index % NUMBERS_PER_WORD * NUMBER_BITS);
    }
}
