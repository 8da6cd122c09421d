// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Configuration} from "./Configuration.sol";
import {TokenApproval} from "./TokenApproval.sol";
import {LegacyViews} from "./LegacyViews.sol";
import {OrderManagement} from "./OrderManagement.sol";

/// Runs inside the hub by delegatecall for every selector the hub does not know.
contract HubExtension is LegacyViews, OrderManagement, Configuration, TokenApproval {
    receive() external payable {
        revert("fallback-disabled");
    }

    fallback() external payable {
        revert("fallback-disabled");
    }
}
