// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BoostCode, BoostView, BoostWord} from "./BoostCode.sol";
import {BoostMatching} from "./BoostMatching.sol";
import {BoostTasks} from "./BoostTasks.sol";
import {DealBoost} from "./BoostTypes.sol";

/// Runs inside the hub by delegatecall for the functions of PoCo Boost: deals that trust a single
/// worker, whose details and results are only logged.
contract Boost is BoostMatching, BoostTasks {
    using BoostCode for BoostView;
    using BoostWord for uint256;

    function viewDealBoost(bytes32 id) external view returns (DealBoost memory deal) {
        uint256 word = _boostDeals[id];
        if (word == 0) return deal;
        BoostView data = BoostCode.load(word.number());
        deal.appOwner = data.appOwner();
        deal.appPrice = uint96(data.appPrice());
        deal.datasetOwner = data.datasetOwner();
        deal.datasetPrice = uint96(data.datasetPrice());
        deal.workerpoolOwner = word.scheduler();
        deal.workerpoolPrice = uint96(data.workerpoolPrice());
        deal.requester = data.requester();
        deal.workerReward = uint96(data.workerReward());
        deal.callback = data.callback();
        deal.deadline = uint40(word.deadline());
        deal.botFirst = uint16(data.first());
        deal.botSize = uint16(word.size());
        deal.shortTag = data.shortTag();
        deal.sponsor = data.sponsor();
    }
}
