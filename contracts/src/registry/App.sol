// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry} from "./Entry.sol";
import {Registry} from "./Registry.sol";

/// A program: what to run and how to recognise it.
contract App is Entry {
    string public m_appName;
    string public m_appType;
    bytes public m_appMultiaddr;
    bytes32 public m_appChecksum;
    bytes public m_appMREnclave;

    function initialize(
        string calldata _appName,
        string calldata _appType,
        bytes calldata _appMultiaddr,
        bytes32 _appChecksum,
        bytes calldata _appMREnclave
    ) external onlyOnce {
        m_appName = _appName;
        m_appType = _appType;
        m_appMultiaddr = _appMultiaddr;
        m_appChecksum = _appChecksum;
        m_appMREnclave = _appMREnclave;
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
        return App(_create(_appOwner, initializer));
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
}
