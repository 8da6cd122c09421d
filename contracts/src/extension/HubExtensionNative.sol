// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Coins, WEI_PER_NRLC} from "../hub/NativeEscrow.sol";
import {Configuration} from "./Configuration.sol";
import {LegacyViews} from "./LegacyViews.sol";
import {OrderManagement} from "./OrderManagement.sol";

/// {HubExtension} where RLC is the coin of the chain: a call that nobody knows is a deposit.
contract HubExtensionNative is LegacyViews, OrderManagement, Configuration, Coins {
    receive() external payable {
        _depositCoins(msg.sender);
    }

    fallback() external payable {
        _depositCoins(msg.sender);
    }

    /// Mints what the hub holds beyond its supply to the owner.
    function recover() external onlyOwner returns (uint256 excess) {
        excess = address(this).balance / WEI_PER_NRLC - _totalSupply;
        _mint(_owner, excess);
    }
}
