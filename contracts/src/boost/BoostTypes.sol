// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// A deal of PoCo Boost as published.
struct DealBoost {
    address appOwner;
    uint96 appPrice;
    address datasetOwner;
    uint96 datasetPrice;
    address workerpoolOwner;
    uint96 workerpoolPrice;
    address requester;
    uint96 workerReward;
    address callback;
    uint40 deadline;
    uint16 botFirst;
    uint16 botSize;
    bytes3 shortTag;
    address sponsor;
}

/// What PoCo Boost logs and reports beyond what the hub does.
interface BoostEvents {
    event SchedulerNoticeBoost(
        address indexed workerpool,
        bytes32 dealId,
        address app,
        address dataset,
        uint256 category,
        bytes32 tag,
        string params,
        address beneficiary
    );
    event DealSponsoredBoost(bytes32 dealId, address sponsor);
    event ResultPushedBoost(bytes32 dealId, uint256 index, bytes results);

    error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value);
}
