// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StoredCode} from "../code/StoredCode.sol";
import {IRegistry} from "../hub/External.sol";
import {Assets} from "./Assets.sol";
import {Ownable} from "./Ownable.sol";
import {Record} from "./Record.sol";

/// Creates entries at addresses that follow from their content and owner, and keeps their tokens.
///
/// A registry makes three kinds of contracts, and no others: in its constructor the `master`, then
/// for each entry first a minimal proxy to the master (ERC-1167), which is the entry, and then the
/// record of what the entry was created with. Where a record is follows from the number of the
/// entry, so it needs no storage; and since a record names its entry, neither does the list of all
/// entries.
abstract contract Registry is IRegistry, Assets, Ownable {
    /// How many contracts the registry has created once entry 0 has its record.
    uint256 private constant FIRST_RECORD = 3;
    /// A proxy and a record.
    uint256 private constant CONTRACTS_PER_ENTRY = 2;

    address public immutable master;
    bytes32 public immutable proxyCodeHash;
    IRegistry public previous;
    bool public initialized;

    constructor(address master_, string memory name_, string memory symbol_)
        Assets(name_, symbol_)
        Ownable(msg.sender)
    {
        master = master_;
        proxyCodeHash = keccak256(_proxyCode(master_));
    }

    /// Names the registry of the generation before, or none.
    function initialize(address _previous) external onlyOwner {
        require(!initialized);
        initialized = true;
        previous = IRegistry(_previous);
    }

    function setBaseURI(string calldata _baseURI) external onlyOwner {
        baseURI = _baseURI;
    }

    /// Part of the interface since the days of reverse ENS records, and always refused.
    function setName(address, string calldata) external view onlyOwner {
        revert("Operation not supported on this chain");
    }

    function isRegistered(address _entry) external view returns (bool) {
        if (_exists(uint160(_entry))) return true;
        return address(previous) != address(0) && previous.isRegistered(_entry);
    }

    /// The init code of every entry.
    function proxyCode() external view returns (bytes memory) {
        return _proxyCode(master);
    }

    /// The contract that `Record` reads, of an entry of this registry; zero for anything else.
    function recordOf(address entry) external view returns (address) {
        Token memory token = _tokens[uint160(entry)];
        return token.owner == address(0) ? address(0) : _recordAt(token.number);
    }

    /// What a hub needs to match an order on an entry, from one storage word. The owner is zero
    /// when this registry has no such entry; ratios are in percent, and zero without a policy.
    function termsOf(address entry)
        public
        view
        virtual
        returns (address owner, uint256 workerStakeRatio, uint256 schedulerRewardRatio)
    {
        Token memory token = _tokens[uint160(entry)];
        return (token.owner, token.workerStakeRatio, token.schedulerRewardRatio);
    }

    /// Creates an entry from the call data that decides its address and a record that starts with
    /// `Record.BLANK`. The code that runs in both creations is ours and calls nobody.
    function _create(
        address owner,
        bytes memory initializer,
        bytes memory record,
        uint24 workerStakeRatio,
        uint8 schedulerRewardRatio
    ) internal returns (address entry) {
        bytes memory code = _proxyCode(master);
        bytes32 salt = _salt(owner, initializer);
        // Only the memory of `code` is read.
        assembly ("memory-safe") {
            entry := create2(0, add(code, 0x20), mload(code), salt)
        }
        require(entry != address(0), "Create2: Failed on deploy");
        Record.write(entry, record);
        _mint(owner, uint160(entry), workerStakeRatio, schedulerRewardRatio);
    }

    function _predict(address owner, bytes memory initializer) internal view returns (address) {
        bytes32 salt = _salt(owner, initializer);
        bytes32 hash =
            keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, proxyCodeHash));
        return address(uint160(uint256(hash)));
    }

    function _tokenId(uint256 number) internal view override returns (uint256) {
        return uint160(Record.entryOf(_recordAt(number)));
    }

    function _recordAt(uint256 number) private view returns (address) {
        return StoredCode.addressOf(address(this), CONTRACTS_PER_ENTRY * number + FIRST_RECORD);
    }

    /// The hash of the initializer and the 20 bytes of the owner after it.
    function _salt(address owner, bytes memory initializer) private pure returns (bytes32 salt) {
        // Without a copy of the initializer: the owner lies after it only while they are hashed,
        // and whatever the memory there belongs to has its value back when the block ends.
        assembly ("memory-safe") {
            let start := add(initializer, 0x20)
            let size := mload(initializer)
            let end := add(start, size)
            let kept := mload(end)
            mstore(end, shl(96, owner))
            salt := keccak256(start, add(size, 20))
            mstore(end, kept)
        }
    }

    function _proxyCode(address master_) private pure returns (bytes memory) {
        return abi.encodePacked(
            hex"3d602d80600a3d3981f3363d3d373d3d3d363d73",
            master_,
            hex"5af43d82803e903d91602b57fd5bf3"
        );
    }
}
