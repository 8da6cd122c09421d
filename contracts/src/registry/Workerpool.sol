// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry} from "./Entry.sol";
import {Registry} from "./Registry.sol";

/// A workerpool: what it asks of its workers and what it keeps for itself.
contract Workerpool is Entry {
    uint256 private constant STAKE_RATIO_DEFAULT = 30;
    uint256 private constant REWARD_RATIO_DEFAULT = 1;

    string public m_workerpoolDescription;
    uint256 public m_workerStakeRatioPolicy;
    uint256 public m_schedulerRewardRatioPolicy;

    event PolicyUpdate(
        uint256 oldWorkerStakeRatioPolicy,
        uint256 newWorkerStakeRatioPolicy,
        uint256 oldSchedulerRewardRatioPolicy,
        uint256 newSchedulerRewardRatioPolicy
    );

    function initialize(string calldata _workerpoolDescription) external onlyOnce {
        m_workerpoolDescription = _workerpoolDescription;
        m_workerStakeRatioPolicy = STAKE_RATIO_DEFAULT;
        m_schedulerRewardRatioPolicy = REWARD_RATIO_DEFAULT;
    }

    /// Ratios in percent; they apply to deals matched from now on.
    function changePolicy(
        uint256 _newWorkerStakeRatioPolicy,
        uint256 _newSchedulerRewardRatioPolicy
    ) external onlyOwner {
        require(_newSchedulerRewardRatioPolicy <= 100);
        emit PolicyUpdate(
            m_workerStakeRatioPolicy,
            _newWorkerStakeRatioPolicy,
            m_schedulerRewardRatioPolicy,
            _newSchedulerRewardRatioPolicy
        );
        m_workerStakeRatioPolicy = _newWorkerStakeRatioPolicy;
        m_schedulerRewardRatioPolicy = _newSchedulerRewardRatioPolicy;
    }
}

contract WorkerpoolRegistry is
    Registry(address(new Workerpool()), "iExec Workerpool Registry (V5)", "iExecWorkerpoolV5")
{
    function createWorkerpool(address _workerpoolOwner, string calldata _workerpoolDescription)
        external
        returns (Workerpool)
    {
        return Workerpool(_create(_workerpoolOwner, _encode(_workerpoolDescription)));
    }

    function predictWorkerpool(address _workerpoolOwner, string calldata _workerpoolDescription)
        external
        view
        returns (Workerpool)
    {
        return Workerpool(_predict(_workerpoolOwner, _encode(_workerpoolDescription)));
    }

    function _encode(string calldata description) private pure returns (bytes memory) {
        return abi.encodeCall(Workerpool.initialize, (description));
    }
}
