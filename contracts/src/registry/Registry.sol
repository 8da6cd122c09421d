// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "../hub/External.sol";
import {Assets} from "./Assets.sol";
import {Ownable} from "./Ownable.sol";

/// Creates entries at addresses that follow from their content and owner, and owns their tokens.
/// Every entry is a minimal proxy (ERC-1167) to one `master`.
abstract contract Registry is Assets, Ownable {
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

    function _create(address owner, bytes memory initializer) internal returns (address entry) {
        bytes memory code = _proxyCode(master);
        bytes32 salt = keccak256(abi.encodePacked(initializer, owner));
        assembly ("memory-safe") {
            entry := create2(0, add(code, 0x20), mload(code), salt)
        }
        require(entry != address(0), "Create2: Failed on deploy");
        (bool done, bytes memory reason) = entry.call(initializer);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(reason, 0x20), mload(reason))
            }
        }
        _mint(owner, uint160(entry));
    }

    function _predict(address owner, bytes memory initializer) internal view returns (address) {
        bytes32 salt = keccak256(abi.encodePacked(initializer, owner));
        bytes32 hash =
            keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, proxyCodeHash));
        return address(uint160(uint256(hash)));
    }

    function _proxyCode(address master_) private pure returns (bytes memory) {
        return abi.encodePacked(
            hex"3d602d80600a3d3981f3363d3d373d3d3d363d73",
            master_,
            hex"5af43d82803e903d91602b57fd5bf3"
        );
    }
}
