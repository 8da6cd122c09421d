// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "./Types.sol";

/// EIP-712 struct hashes of orders, read straight from call data: the fixed fields of an order
/// lie there one word each, in the order of the type.
library OrderHash {
    bytes32 internal constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 internal constant APP_TYPEHASH = keccak256(
        "AppOrder(address app,uint256 appprice,uint256 volume,bytes32 tag,"
        "address datasetrestrict,address workerpoolrestrict,address requesterrestrict,"
        "bytes32 salt)"
    );
    bytes32 internal constant DATASET_TYPEHASH = keccak256(
        "DatasetOrder(address dataset,uint256 datasetprice,uint256 volume,bytes32 tag,"
        "address apprestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt)"
    );
    bytes32 internal constant WORKERPOOL_TYPEHASH = keccak256(
        "WorkerpoolOrder(address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,"
        "uint256 category,uint256 trust,address apprestrict,address datasetrestrict,"
        "address requesterrestrict,bytes32 salt)"
    );
    bytes32 internal constant REQUEST_TYPEHASH = keccak256(
        "RequestOrder(address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,"
        "address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,"
        "bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,"
        "string params,bytes32 salt)"
    );

    string internal constant DOMAIN_NAME = "iExecODB";
    string internal constant DOMAIN_VERSION = "5.0.0";

    function domainSeparator() internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH,
                keccak256(bytes(DOMAIN_NAME)),
                keccak256(bytes(DOMAIN_VERSION)),
                block.chainid,
                address(this)
            )
        );
    }

    function typedData(bytes32 separator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function hash(AppOrder calldata order) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := order
        }
        return _hashWords(APP_TYPEHASH, offset, 8);
    }

    function hash(DatasetOrder calldata order) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := order
        }
        return _hashWords(DATASET_TYPEHASH, offset, 8);
    }

    function hash(WorkerpoolOrder calldata order) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := order
        }
        return _hashWords(WORKERPOOL_TYPEHASH, offset, 10);
    }

    /// Thirteen fixed words, then the hash of `params`, then the salt, which comes one word later.
    function hash(RequestOrder calldata order) internal pure returns (bytes32 result) {
        bytes32 typehash = REQUEST_TYPEHASH;
        bytes32 params = keccak256(bytes(order.params));
        bytes32 salt = order.salt;
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, typehash)
            calldatacopy(add(words, 0x20), order, 0x1a0)
            mstore(add(words, 0x1c0), params)
            mstore(add(words, 0x1e0), salt)
            result := keccak256(words, 0x200)
        }
    }

    function _hashWords(bytes32 typehash, uint256 offset, uint256 count)
        private
        pure
        returns (bytes32 result)
    {
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, typehash)
            calldatacopy(add(words, 0x20), offset, mul(count, 0x20))
            result := keccak256(words, mul(add(count, 1), 0x20))
        }
    }
}
