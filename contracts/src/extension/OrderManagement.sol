// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AppOrder,
    AppOrderOperation,
    DatasetOrder,
    DatasetOrderOperation,
    RequestOrder,
    RequestOrderOperation,
    WorkerpoolOrder,
    WorkerpoolOrderOperation
} from "../hub/Types.sol";
import {IEntry} from "../hub/External.sol";
import {HubEvents} from "../hub/Events.sol";
import {OrderHash} from "../hub/OrderHash.sol";
import {Signatures} from "../hub/Signatures.sol";

/// Signing and closing orders on chain, and announcing them in a log.
abstract contract OrderManagement is Signatures, HubEvents {
    uint8 private constant SIGN = 0;
    uint8 private constant CLOSE = 1;
    uint256 private constant SIGNER = type(uint160).max;

    bytes32 private constant APP_OPERATION_TYPEHASH =
        0x0638bb0702457e2b4b01be8a202579b8bf97e587fb4f2cc4d4aad01f21a06ee0;
    bytes32 private constant DATASET_OPERATION_TYPEHASH =
        0x075eb6f7578ff4292c241bd2484cd5c1d5e6ecc2ddd3317e1d8176b5a45865ec;
    bytes32 private constant WORKERPOOL_OPERATION_TYPEHASH =
        0x322d980b7d7a6a1f7c39ff0c5445da6ae1d8e0393ff0dd468c8be3e2c8644388;
    bytes32 private constant REQUEST_OPERATION_TYPEHASH =
        0x0ded7b52c2d77595a40d242eca751df172b18e686326dbbed3f4748828af77c7;

    function manageAppOrder(AppOrderOperation calldata apporderoperation) external {
        AppOrder calldata order = apporderoperation.order;
        uint8 operation = apporderoperation.operation;
        address authority = IEntry(order.app).owner();
        bytes32 structHash = OrderHash.hash(order);
        _checkSender(
            authority, APP_OPERATION_TYPEHASH, structHash, operation, apporderoperation.sign
        );
        bytes32 hash = _manage(authority, structHash, operation, order.volume);
        if (operation == SIGN) emit SignedAppOrder(hash);
        else emit ClosedAppOrder(hash);
    }

    function manageDatasetOrder(DatasetOrderOperation calldata datasetorderoperation) external {
        DatasetOrder calldata order = datasetorderoperation.order;
        uint8 operation = datasetorderoperation.operation;
        address authority = IEntry(order.dataset).owner();
        bytes32 structHash = OrderHash.hash(order);
        _checkSender(
            authority,
            DATASET_OPERATION_TYPEHASH,
            structHash,
            operation,
            datasetorderoperation.sign
        );
        bytes32 hash = _manage(authority, structHash, operation, order.volume);
        if (operation == SIGN) emit SignedDatasetOrder(hash);
        else emit ClosedDatasetOrder(hash);
    }

    function manageWorkerpoolOrder(WorkerpoolOrderOperation calldata workerpoolorderoperation)
        external
    {
        WorkerpoolOrder calldata order = workerpoolorderoperation.order;
        uint8 operation = workerpoolorderoperation.operation;
        address authority = IEntry(order.workerpool).owner();
        bytes32 structHash = OrderHash.hash(order);
        _checkSender(
            authority,
            WORKERPOOL_OPERATION_TYPEHASH,
            structHash,
            operation,
            workerpoolorderoperation.sign
        );
        bytes32 hash = _manage(authority, structHash, operation, order.volume);
        if (operation == SIGN) emit SignedWorkerpoolOrder(hash);
        else emit ClosedWorkerpoolOrder(hash);
    }

    function manageRequestOrder(RequestOrderOperation calldata requestorderoperation) external {
        RequestOrder calldata order = requestorderoperation.order;
        uint8 operation = requestorderoperation.operation;
        bytes32 structHash = OrderHash.hash(order);
        _checkSender(
            order.requester,
            REQUEST_OPERATION_TYPEHASH,
            structHash,
            operation,
            requestorderoperation.sign
        );
        bytes32 hash = _manage(order.requester, structHash, operation, order.volume);
        if (operation == SIGN) emit SignedRequestOrder(hash);
        else emit ClosedRequestOrder(hash);
    }

    function broadcastAppOrder(AppOrder calldata order) external {
        emit BroadcastAppOrder(order);
    }

    function broadcastDatasetOrder(DatasetOrder calldata order) external {
        emit BroadcastDatasetOrder(order);
    }

    function broadcastWorkerpoolOrder(WorkerpoolOrder calldata order) external {
        emit BroadcastWorkerpoolOrder(order);
    }

    function broadcastRequestOrder(RequestOrder calldata order) external {
        emit BroadcastRequestOrder(order);
    }

    /// The authority sends the transaction, or has signed the operation for anyone to send.
    function _checkSender(
        address authority,
        bytes32 typehash,
        bytes32 structHash,
        uint8 operation,
        bytes calldata signature
    ) private view {
        require(operation <= CLOSE);
        if (msg.sender == authority) return;
        bytes32 operationHash = keccak256(abi.encode(typehash, structHash, operation));
        bytes32 digest = OrderHash.typedData(_domainSeparator, operationHash);
        require(_isSigned(authority, digest, signature), "invalid-sender-or-signature");
    }

    function _manage(address authority, bytes32 structHash, uint8 operation, uint256 volume)
        private
        returns (bytes32 hash)
    {
        hash = OrderHash.typedData(_domainSeparator, structHash);
        uint256 word = _orders[hash];
        if (operation == SIGN) _orders[hash] = (word & ~SIGNER) | uint160(authority);
        else _setConsumed(hash, word, volume);
    }
}
