// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HubCore} from "./HubCore.sol";
import {NativeEscrow} from "./NativeEscrow.sol";

/// The hub of a chain whose coin is RLC.
contract HubNative is HubCore, NativeEscrow {
    constructor(address extension_, address boost_, address owner_)
        HubCore(extension_, boost_, owner_)
    {}

    function _receive() internal override {
        _depositCoins(msg.sender);
    }
}
