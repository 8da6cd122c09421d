// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Storage.sol";
import {DealCode, DealView} from "./DealCode.sol";
import {Signatures} from "./Signatures.sol";

/// Who may contribute what. What is not allowed reverts without data, as clients expect.
abstract contract Authorization is Signatures {
    using DealCode for DealView;

    /// The broker answers for enclaves when there is one, the scheduler for everything else.
    function _checkAuthorization(
        DealView deal,
        bytes32 taskid,
        address enclaveChallenge,
        bytes calldata signature
    ) internal view {
        require(enclaveChallenge != address(0) || deal.tag() & TAG_TEE == 0);
        _checkAuthority(deal.workerpoolOwner(), taskid, enclaveChallenge, signature);
    }

    function _checkAuthority(
        address authority,
        bytes32 taskid,
        address enclaveChallenge,
        bytes calldata signature
    ) internal view {
        if (enclaveChallenge != address(0) && _teeBroker != address(0)) authority = _teeBroker;
        bytes32 message = keccak256(abi.encodePacked(msg.sender, taskid, enclaveChallenge));
        require(_isSigned(authority, _personalMessage(message), signature));
    }

    function _checkEnclave(
        address enclaveChallenge,
        bytes32 resultHash,
        bytes32 resultSeal,
        bytes calldata signature
    ) internal view {
        if (enclaveChallenge == address(0)) return;
        bytes32 message = keccak256(abi.encodePacked(resultHash, resultSeal));
        require(_isSigned(enclaveChallenge, _personalMessage(message), signature));
    }

    /// Without a callback there is nothing to tell it, or the digest covers what is told.
    function _checkTold(DealView deal, bytes32 resultDigest, bytes calldata told) internal pure {
        bool nothing = told.length == 0 && deal.callback() == address(0);
        require(nothing || keccak256(told) == resultDigest);
    }

    function _hashOf(bytes32 taskid, bytes32 digest) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(taskid, digest));
    }

    function _sealOf(address worker, bytes32 taskid, bytes32 digest)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encodePacked(worker, taskid, digest));
    }
}
