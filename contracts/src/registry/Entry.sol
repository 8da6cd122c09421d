// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// What every entry asks its registry. A registry is one for its entries only: what a hub asks is
/// in `IRegistry`.
interface IEntries {
    function ownerOf(uint256 tokenId) external view returns (address);

    function recordOf(address entry) external view returns (address);
}

/// What an app, a dataset and a workerpool have in common. The owner is whoever holds the token.
/// An entry stores nothing itself: the registry keeps what it was created with (`Record`) and what
/// may change, so that creating one takes neither a call into it nor a storage slot of its own.
abstract contract Entry {
    address internal immutable REGISTRY;

    modifier onlyOwner() {
        require(msg.sender == owner(), "caller is not the owner");
        _;
    }

    /// Constructed by its registry; the clones run this code and see the same registry.
    constructor() {
        REGISTRY = msg.sender;
    }

    function registry() external view returns (address) {
        return REGISTRY;
    }

    function owner() public view returns (address) {
        return IEntries(REGISTRY).ownerOf(uint160(address(this)));
    }

    /// Part of the interface since the days of reverse ENS records, and always refused.
    function setName(address, string calldata) external view onlyOwner {
        revert("Operation not supported on this chain");
    }

    /// Where `Record` finds what the entry was created with; zero when this is the master.
    function _record() internal view returns (address) {
        return IEntries(REGISTRY).recordOf(address(this));
    }

    /// What `initialize` answers. It is part of the interface, and its call data decides the
    /// address of an entry, but nobody can call it before the registry has written the record.
    function _refuseInitialization() internal pure {
        revert("already initialized");
    }
}
