// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "../hub/External.sol";
import {Entry} from "./Entry.sol";
import {Record} from "./Record.sol";
import {Registry} from "./Registry.sol";

/// What a workerpool asks of its registry and nobody else can.
interface IPolicies {
    function setPolicy(uint256 workerStakeRatio, uint256 schedulerRewardRatio) external;
}

/// A workerpool: what it asks of its workers and what it keeps for itself. Its record has one
/// field; the policy is in the registry, where a hub reads it together with the owner.
contract Workerpool is Entry {
    event PolicyUpdate(
        uint256 oldWorkerStakeRatioPolicy,
        uint256 newWorkerStakeRatioPolicy,
        uint256 oldSchedulerRewardRatioPolicy,
        uint256 newSchedulerRewardRatioPolicy
    );

    function m_workerpoolDescription() external view returns (string memory) {
        return string(Record.field(_record(), Record.BODY, 0, 1));
    }

    function m_workerStakeRatioPolicy() external view returns (uint256) {
        (uint256 ratio,) = _policy();
        return ratio;
    }

    function m_schedulerRewardRatioPolicy() external view returns (uint256) {
        (, uint256 ratio) = _policy();
        return ratio;
    }

    function initialize(string calldata _workerpoolDescription) external virtual {
        (_workerpoolDescription);
        _refuseInitialization();
    }

    /// Ratios in percent, the second 100 at most; they apply to deals matched from now on.
    function changePolicy(
        uint256 _newWorkerStakeRatioPolicy,
        uint256 _newSchedulerRewardRatioPolicy
    ) external onlyOwner {
        (uint256 stakeRatio, uint256 rewardRatio) = _policy();
        emit PolicyUpdate(
            stakeRatio,
            _newWorkerStakeRatioPolicy,
            rewardRatio,
            _newSchedulerRewardRatioPolicy
        );
        IPolicies(REGISTRY).setPolicy(_newWorkerStakeRatioPolicy, _newSchedulerRewardRatioPolicy);
    }

    function _policy() private view returns (uint256 stakeRatio, uint256 rewardRatio) {
        (, stakeRatio, rewardRatio) = IRegistry(REGISTRY).termsOf(address(this));
    }
}

contract WorkerpoolRegistry is
    Registry(address(new Workerpool()), "iExec Workerpool Registry (V5)", "iExecWorkerpoolV5")
{
    uint24 private constant STAKE_RATIO_DEFAULT = 30;
    uint8 private constant REWARD_RATIO_DEFAULT = 1;
    /// Stands for every stake ratio from here on; the ratio itself is then in `_largeStakeRatios`.
    uint24 private constant STAKE_RATIO_LARGE = type(uint24).max;

    mapping(address workerpool => uint256) private _largeStakeRatios;

    function createWorkerpool(address _workerpoolOwner, string calldata _workerpoolDescription)
        external
        returns (Workerpool)
    {
        bytes memory initializer = _encode(_workerpoolDescription);
        bytes memory record = abi.encodePacked(Record.BLANK, _workerpoolDescription);
        address entry = _create(
            _workerpoolOwner, initializer, record, STAKE_RATIO_DEFAULT, REWARD_RATIO_DEFAULT
        );
        return Workerpool(entry);
    }

    function predictWorkerpool(address _workerpoolOwner, string calldata _workerpoolDescription)
        external
        view
        returns (Workerpool)
    {
        return Workerpool(_predict(_workerpoolOwner, _encode(_workerpoolDescription)));
    }

    /// Called by a workerpool on behalf of its owner, about itself. Ratios in percent.
    function setPolicy(uint256 workerStakeRatio, uint256 schedulerRewardRatio) external {
        ownerOf(uint160(msg.sender));
        require(schedulerRewardRatio <= 100);
        bool large = workerStakeRatio >= STAKE_RATIO_LARGE;
        Token storage token = _tokens[uint160(msg.sender)];
        token.workerStakeRatio = large ? STAKE_RATIO_LARGE : uint24(workerStakeRatio);
        token.schedulerRewardRatio = uint8(schedulerRewardRatio);
        // What was large before stays there unread, until it is overwritten.
        if (large) _largeStakeRatios[msg.sender] = workerStakeRatio;
    }

    function termsOf(address entry)
        public
        view
        override
        returns (address owner, uint256 workerStakeRatio, uint256 schedulerRewardRatio)
    {
        (owner, workerStakeRatio, schedulerRewardRatio) = super.termsOf(entry);
        if (workerStakeRatio == STAKE_RATIO_LARGE) workerStakeRatio = _largeStakeRatios[entry];
    }

    function _encode(string calldata description) private pure returns (bytes memory) {
        return abi.encodeCall(Workerpool.initialize, (description));
    }
}
