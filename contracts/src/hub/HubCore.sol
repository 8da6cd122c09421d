// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bags} from "./Bags.sol";
import {Batch} from "./Batch.sol";
import {Matching} from "./Matching.sol";
import {StakedRlc} from "./StakedRlc.sol";

/// The contract that holds every balance, deal and task, but for how RLC comes in and out. What
/// happens once or is only read by clients off chain lives in extensions, because a contract is
/// limited to 24,576 bytes.
abstract contract HubCore is StakedRlc, Matching, Bags, Batch {
    address private immutable EXTENSION;
    address private immutable BOOST;

    /// `owner_` may configure the hub; the extensions are fixed for good.
    constructor(address extension_, address boost_, address owner_) {
        EXTENSION = extension_;
        BOOST = boost_;
        _owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
    }

    fallback() external payable {
        address target = _isBoost(msg.sig) ? BOOST : EXTENSION;
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let done := delegatecall(gas(), target, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(done) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    /// Coins without a call.
    receive() external payable {
        _receive();
    }

    function _receive() internal virtual;

    /// matchOrdersBoost, sponsorMatchOrdersBoost, pushResultBoost, claimBoost, viewDealBoost.
    function _isBoost(bytes4 selector) private pure returns (bool) {
        return selector == 0x8a8b3607 || selector == 0xc1f9a20e || selector == 0x9bced28b
            || selector == 0xaf24ba0b || selector == 0x63fbac17;
    }
}
