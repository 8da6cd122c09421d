// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

interface IOwners {
    function ownerOf(uint256 tokenId) external view returns (address);
}

/// What an app, a dataset and a workerpool have in common. The owner is whoever holds the token.
abstract contract Entry {
    IOwners private immutable REGISTRY;

    /// A registry initializes an entry once, in the transaction that creates it.
    modifier onlyOnce() {
        require(msg.sender == address(REGISTRY), "already initialized");
        _;
    }

    modifier onlyOwner() {
        require(msg.sender == owner(), "caller is not the owner");
        _;
    }

    /// Constructed by its registry; the clones run this code and see the same registry.
    constructor() {
        REGISTRY = IOwners(msg.sender);
    }

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    function owner() public view returns (address) {
        return REGISTRY.ownerOf(uint160(address(this)));
    }

    /// Part of the interface since the days of reverse ENS records, and always refused.
    function setName(address, string calldata) external view onlyOwner {
        revert("Operation not supported on this chain");
    }
}
