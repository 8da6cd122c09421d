// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry} from "./Entry.sol";
import {Record} from "./Record.sol";
import {Registry} from "./Registry.sol";

/// A program: what to run and how to recognise it. Its record has a checksum and four fields.
contract App is Entry {
    uint256 private constant FIELDS = Record.BODY + 32;
    uint256 private constant FIELD_COUNT = 4;

    function m_appName() external view returns (string memory) {
        return string(_field(0));
    }

    function m_appType() external view returns (string memory) {
        return string(_field(1));
    }

    function m_appMultiaddr() external view returns (bytes memory) {
        return _field(2);
    }

    function m_appChecksum() external view returns (bytes32) {
        return Record.checksum(_record());
    }

    function m_appMREnclave() external view returns (bytes memory) {
        return _field(3);
    }

    function initialize(
        string calldata _appName,
        string calldata _appType,
        bytes calldata _appMultiaddr,
        bytes32 _appChecksum,
        bytes calldata _appMREnclave
    ) external virtual {
        (_appName, _appType, _appMultiaddr, _appChecksum, _appMREnclave);
        _refuseInitialization();
    }

    function _field(uint256 index) private view returns (bytes memory) {
        return Record.field(_record(), FIELDS, index, FIELD_COUNT);
    }
}

contract AppRegistry is
    Registry(address(new App()), "iExec Application Registry (V5)", "iExecAppsV5")
{
    function createApp(
        address _appOwner,
        string calldata _appName,
        string calldata _appType,
        bytes calldata _appMultiaddr,
        bytes32 _appChecksum,
        bytes calldata _appMREnclave
    ) external returns (App) {
        bytes memory initializer =
            _encode(_appName, _appType, _appMultiaddr, _appChecksum, _appMREnclave);
        bytes memory record =
            _pack(_appName, _appType, _appMultiaddr, _appChecksum, _appMREnclave);
        return App(_create(_appOwner, initializer, record, 0, 0));
    }

    function predictApp(
        address _appOwner,
        string calldata _appName,
        string calldata _appType,
        bytes calldata _appMultiaddr,
        bytes32 _appChecksum,
        bytes calldata _appMREnclave
    ) external view returns (App) {
        bytes memory initializer =
            _encode(_appName, _appType, _appMultiaddr, _appChecksum, _appMREnclave);
        return App(_predict(_appOwner, initializer));
    }

    function _encode(
        string calldata name_,
        string calldata type_,
        bytes calldata multiaddr,
        bytes32 checksum,
        bytes calldata mrenclave
    ) private pure returns (bytes memory) {
        return abi.encodeCall(App.initialize, (name_, type_, multiaddr, checksum, mrenclave));
    }

    function _pack(
        string calldata name_,
        string calldata type_,
        bytes calldata multiaddr,
        bytes32 checksum,
        bytes calldata mrenclave
    ) private pure returns (bytes memory) {
        return abi.encodePacked(
            Record.BLANK,
            checksum,
            uint16(bytes(name_).length),
            uint16(bytes(type_).length),
            uint16(multiaddr.length),
            name_,
            type_,
            multiaddr,
            mrenclave
        );
    }
}
