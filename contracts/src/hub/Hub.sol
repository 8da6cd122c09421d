// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HubCore} from "./HubCore.sol";
import {TokenEscrow} from "./TokenEscrow.sol";

/// The hub of a chain where RLC is a token.
contract Hub is HubCore, TokenEscrow {
    constructor(address extension_, address boost_, address owner_)
        HubCore(extension_, boost_, owner_)
    {}

    function _receive() internal pure override {
        revert("fallback-disabled");
    }
}
