// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry} from "./Entry.sol";
import {Registry} from "./Registry.sol";

/// Data, usually encrypted: where it lies and how to recognise it.
contract Dataset is Entry {
    string public m_datasetName;
    bytes public m_datasetMultiaddr;
    bytes32 public m_datasetChecksum;

    function initialize(
        string calldata _datasetName,
        bytes calldata _datasetMultiaddr,
        bytes32 _datasetChecksum
    ) external onlyOnce {
        m_datasetName = _datasetName;
        m_datasetMultiaddr = _datasetMultiaddr;
        m_datasetChecksum = _datasetChecksum;
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
        return Dataset(
            _create(_datasetOwner, _encode(_datasetName, _datasetMultiaddr, _datasetChecksum))
        );
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
