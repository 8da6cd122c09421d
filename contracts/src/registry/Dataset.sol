// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry} from "./Entry.sol";
import {Record} from "./Record.sol";
import {Registry} from "./Registry.sol";

/// Data, usually encrypted: where it lies and how to recognise it. Its record has a checksum and
/// two fields.
contract Dataset is Entry {
    uint256 private constant FIELDS = Record.BODY + 32;
    uint256 private constant FIELD_COUNT = 2;

    function m_datasetName() external view returns (string memory) {
        return string(Record.field(_record(), FIELDS, 0, FIELD_COUNT));
    }

    function m_datasetMultiaddr() external view returns (bytes memory) {
        return Record.field(_record(), FIELDS, 1, FIELD_COUNT);
    }

    function m_datasetChecksum() external view returns (bytes32) {
        return Record.checksum(_record());
    }

    function initialize(
        string calldata _datasetName,
        bytes calldata _datasetMultiaddr,
        bytes32 _datasetChecksum
    ) external virtual {
        (_datasetName, _datasetMultiaddr, _datasetChecksum);
        _refuseInitialization();
    }
}

contract DatasetRegistry is
    Registry(address(new Dataset()), "iExec Dataset Registry (V5)", "iExecDatasetsV5")
{
    function createDataset(
        address _datasetOwner,
        string calldata _datasetName,
        bytes calldata _datasetMultiaddr,
        bytes32 _datasetChecksum
    ) external returns (Dataset) {
        bytes memory initializer = _encode(_datasetName, _datasetMultiaddr, _datasetChecksum);
        bytes memory record = abi.encodePacked(
            Record.BLANK,
            _datasetChecksum,
            uint16(bytes(_datasetName).length),
            _datasetName,
            _datasetMultiaddr
        );
        return Dataset(_create(_datasetOwner, initializer, record, 0, 0));
    }

    function predictDataset(
        address _datasetOwner,
        string calldata _datasetName,
        bytes calldata _datasetMultiaddr,
        bytes32 _datasetChecksum
    ) external view returns (Dataset) {
        return Dataset(
            _predict(_datasetOwner, _encode(_datasetName, _datasetMultiaddr, _datasetChecksum))
        );
    }

    function _encode(string calldata name_, bytes calldata multiaddr, bytes32 checksum)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(Dataset.initialize, (name_, multiaddr, checksum));
    }
}
