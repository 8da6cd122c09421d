// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Extension: several calls in one transaction.
abstract contract Batch {
    /// Makes the calls one after the other as the caller, and returns what each returned. If one
    /// fails, all fail, with its reason. Not payable, so no call can count the same coins twice.
    function multicall(bytes[] calldata calls) external returns (bytes[] memory results) {
        results = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done, bytes memory returned) = address(this).delegatecall(calls[i]);
            if (!done) {
                assembly ("memory-safe") {
                    revert(add(returned, 0x20), mload(returned))
                }
            }
            results[i] = returned;
        }
    }
}
