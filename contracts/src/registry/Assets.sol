// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PackedList} from "./PackedList.sol";

interface IERC721Receiver {
    function onERC721Received(
        address operator,
        address from,
        uint256 tokenId,
        bytes calldata data
    ) external returns (bytes4);
}

/// ERC-721 with enumeration for tokens that are never burnt. The token id is the address of an
/// asset; moving the token sells the asset.
abstract contract Assets {
    using PackedList for PackedList.List;

    /// All there is to know about a token, in one storage word.
    struct Token {
        /// Never zero: that is how a token differs from any other number.
        address owner;
        /// How many were minted before it. Lists hold it instead of the id, which is longer.
        uint32 number;
        /// Where it stands in the list of its owner.
        uint32 position;
        /// Percent; workerpools have it, everything else has zero.
        uint24 workerStakeRatio;
        /// Percent, 100 at most; likewise.
        uint8 schedulerRewardRatio;
    }

    bytes4 private constant ERC165 = 0x01ffc9a7;
    bytes4 private constant ERC721 = 0x80ac58cd;
    bytes4 private constant ERC721_METADATA = 0x5b5e139f;
    bytes4 private constant ERC721_ENUMERABLE = 0x780e9d63;

    string public name;
    string public symbol;
    string public baseURI;
    uint256 public totalSupply;
    mapping(uint256 tokenId => Token) internal _tokens;
    mapping(address owner => PackedList.List) private _owned;
    mapping(uint256 tokenId => address) private _approved;
    mapping(address owner => mapping(address operator => bool)) public isApprovedForAll;

    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
    event Approval(address indexed owner, address indexed approved, uint256 indexed tokenId);
    event ApprovalForAll(address indexed owner, address indexed operator, bool approved);

    error ERC721InvalidOwner(address owner);
    error ERC721NonexistentToken(uint256 tokenId);
    error ERC721IncorrectOwner(address sender, uint256 tokenId, address owner);
    error ERC721InvalidReceiver(address receiver);
    error ERC721InsufficientApproval(address operator, uint256 tokenId);
    error ERC721InvalidApprover(address approver);
    error ERC721InvalidOperator(address operator);
    error ERC721OutOfBoundsIndex(address owner, uint256 index);

    constructor(string memory name_, string memory symbol_) {
        name = name_;
        symbol = symbol_;
    }

    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == ERC165 || interfaceId == ERC721 || interfaceId == ERC721_METADATA
            || interfaceId == ERC721_ENUMERABLE;
    }

    function tokenByIndex(uint256 index) external view returns (uint256) {
        if (index >= totalSupply) revert ERC721OutOfBoundsIndex(address(0), index);
        return _tokenId(index);
    }

    function tokenOfOwnerByIndex(address owner, uint256 index) external view returns (uint256) {
        PackedList.List storage owned = _owned[owner];
        if (index >= owned.length()) revert ERC721OutOfBoundsIndex(owner, index);
        return _tokenId(owned.get(index));
    }

    function balanceOf(address owner) external view returns (uint256) {
        if (owner == address(0)) revert ERC721InvalidOwner(address(0));
        return _owned[owner].length();
    }

    function ownerOf(uint256 tokenId) public view returns (address owner) {
        owner = _tokens[tokenId].owner;
        if (owner == address(0)) revert ERC721NonexistentToken(tokenId);
    }

    function tokenURI(uint256 tokenId) external view returns (string memory) {
        ownerOf(tokenId);
        return bytes(baseURI).length == 0 ? "" : string.concat(baseURI, _decimal(tokenId));
    }

    function getApproved(uint256 tokenId) external view returns (address) {
        ownerOf(tokenId);
        return _approved[tokenId];
    }

    function approve(address to, uint256 tokenId) external {
        address owner = ownerOf(tokenId);
        if (msg.sender != owner && !isApprovedForAll[owner][msg.sender]) {
            revert ERC721InvalidApprover(msg.sender);
        }
        _approved[tokenId] = to;
        emit Approval(owner, to, tokenId);
    }

    function setApprovalForAll(address operator, bool approved) external {
        if (operator == address(0)) revert ERC721InvalidOperator(address(0));
        isApprovedForAll[msg.sender][operator] = approved;
        emit ApprovalForAll(msg.sender, operator, approved);
    }

    function transferFrom(address from, address to, uint256 tokenId) public {
        if (to == address(0)) revert ERC721InvalidReceiver(address(0));
        address owner = ownerOf(tokenId);
        _checkOperator(owner, tokenId);
        if (from != owner) revert ERC721IncorrectOwner(from, tokenId, owner);
        delete _approved[tokenId];
        // Who sells to oneself keeps the order of one's list.
        if (to != owner) _move(tokenId, to);
        emit Transfer(from, to, tokenId);
    }

    function safeTransferFrom(address from, address to, uint256 tokenId) external {
        safeTransferFrom(from, to, tokenId, "");
    }

    function safeTransferFrom(address from, address to, uint256 tokenId, bytes memory _data)
        public
    {
        transferFrom(from, to, tokenId);
        if (to.code.length == 0) return;
        try IERC721Receiver(to).onERC721Received(msg.sender, from, tokenId, _data) returns (
            bytes4 answer
        ) {
            if (answer == IERC721Receiver.onERC721Received.selector) return;
        } catch (bytes memory reason) {
            if (reason.length > 0) {
                assembly ("memory-safe") {
                    revert(add(reason, 0x20), mload(reason))
                }
            }
        }
        revert ERC721InvalidReceiver(to);
    }

    /// Mints the next token; the ratios are those of the struct.
    function _mint(
        address to,
        uint256 tokenId,
        uint24 workerStakeRatio,
        uint8 schedulerRewardRatio
    ) internal {
        if (to == address(0)) revert ERC721InvalidReceiver(address(0));
        uint256 number = totalSupply;
        // Numbers have 32 bits, and a list needs one for its length.
        require(number < type(uint32).max);
        totalSupply = number + 1;
        Token memory token = Token({
            owner: to,
            number: uint32(number),
            position: uint32(_owned[to].append(number)),
            workerStakeRatio: workerStakeRatio,
            schedulerRewardRatio: schedulerRewardRatio
        });
        _write(_tokens[tokenId], token);
        emit Transfer(address(0), to, tokenId);
    }

    /// The token that was minted after `number` others.
    function _tokenId(uint256 number) internal view virtual returns (uint256);

    function _exists(uint256 tokenId) internal view returns (bool) {
        return _tokens[tokenId].owner != address(0);
    }

    function _checkOperator(address owner, uint256 tokenId) private view {
        bool allowed = msg.sender == owner || isApprovedForAll[owner][msg.sender]
            || _approved[tokenId] == msg.sender;
        if (!allowed) revert ERC721InsufficientApproval(msg.sender, tokenId);
    }

    /// The last token of the owner takes the place of the one that leaves.
    function _move(uint256 tokenId, address to) private {
        Token memory token = _tokens[tokenId];
        uint256 moved = _owned[token.owner].remove(token.position);
        if (moved != token.number) _tokens[_tokenId(moved)].position = token.position;
        token.owner = to;
        token.position = uint32(_owned[to].append(token.number));
        _write(_tokens[tokenId], token);
    }

    /// An assignment of the struct would write the word once per field.
    function _write(Token storage place, Token memory token) private {
        uint256 word = uint256(token.schedulerRewardRatio) << 248
            | uint256(token.workerStakeRatio) << 224 | uint256(token.position) << 192
            | uint256(token.number) << 160 | uint160(token.owner);
        // Touches no memory; the first field of a struct is in the lowest bits.
        assembly ("memory-safe") {
            sstore(place.slot, word)
        }
    }

    function _decimal(uint256 value) private pure returns (string memory) {
        uint256 length = 1;
        for (uint256 rest = value / 10; rest > 0; rest /= 10) ++length;
        bytes memory digits = new bytes(length);
        for (uint256 rest = value; length > 0; rest /= 10) {
            digits[--length] = bytes1(uint8(48 + rest % 10));
        }
        return string(digits);
    }
}
