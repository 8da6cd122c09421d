// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Category, Contribution, Deal, Task} from "../hub/Types.sol";
import {Views} from "./Views.sol";

/// The same answers as flat tuples, for callers that cannot decode structs.
abstract contract LegacyViews is Views {
    function viewDealABILegacy_pt1(bytes32 _id)
        external
        view
        returns (
            address,
            address,
            uint256,
            address,
            address,
            uint256,
            address,
            address,
            uint256
        )
    {
        Deal memory deal = _readDeal(_id);
        return (
            deal.app.pointer,
            deal.app.owner,
            deal.app.price,
            deal.dataset.pointer,
            deal.dataset.owner,
            deal.dataset.price,
            deal.workerpool.pointer,
            deal.workerpool.owner,
            deal.workerpool.price
        );
    }

    function viewDealABILegacy_pt2(bytes32 _id)
        external
        view
        returns (uint256, bytes32, address, address, address, string memory)
    {
        Deal memory deal = _readDeal(_id);
        return (
            deal.trust, deal.tag, deal.requester, deal.beneficiary, deal.callback, deal.params
        );
    }

    function viewConfigABILegacy(bytes32 _id)
        external
        view
        returns (uint256, uint256, uint256, uint256, uint256, uint256)
    {
        Deal memory deal = _readDeal(_id);
        return (
            deal.category,
            deal.startTime,
            deal.botFirst,
            deal.botSize,
            deal.workerStake,
            deal.schedulerRewardRatio
        );
    }

    function viewAccountABILegacy(address _user) external view returns (uint256, uint256) {
        return (_freeOf(_user), _lockedOf(_user));
    }

    function viewTaskABILegacy(bytes32 _taskid)
        external
        view
        returns (
            uint8,
            bytes32,
            uint256,
            uint256,
            uint256,
            uint256,
            uint256,
            bytes32,
            uint256,
            uint256,
            address[] memory,
            bytes memory
        )
    {
        Task memory task = _readTask(_taskid);
        return (
            task.status,
            task.dealid,
            task.idx,
            task.timeref,
            task.contributionDeadline,
            task.revealDeadline,
            task.finalDeadline,
            task.consensusValue,
            task.revealCounter,
            task.winnerCounter,
            task.contributors,
            task.results
        );
    }

    function viewContributionABILegacy(bytes32 _taskid, address _worker)
        external
        view
        returns (uint8, bytes32, bytes32, address)
    {
        Contribution memory c = _readContribution(_taskid, _worker);
        return (c.status, c.resultHash, c.resultSeal, c.enclaveChallenge);
    }

    /// Out of range is a panic here, unlike in {viewCategory}.
    function viewCategoryABILegacy(uint256 _catid)
        external
        view
        returns (string memory, string memory, uint256)
    {
        Category storage category = _categories[_catid];
        return (category.name, category.description, category.workClockTimeRef);
    }
}
