// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// What the hub calls on other contracts.

interface IToken {
    function balanceOf(address account) external view returns (uint256);

    function transfer(address to, uint256 value) external returns (bool);

    function transferFrom(address from, address to, uint256 value) external returns (bool);
}

interface ITokenSpender {
    function receiveApproval(address sender, uint256 value, address token, bytes calldata data)
        external
        returns (bool);
}

interface IRegistry {
    function isRegistered(address entry) external view returns (bool);

    /// Extension of our registries: all that matching needs, in one call and one slot. The owner
    /// is zero for what is not a token of this registry; the ratios, in percent, are zero for
    /// what is not a workerpool.
    function termsOf(address entry)
        external
        view
        returns (address owner, uint256 workerStakeRatio, uint256 schedulerRewardRatio);
}

interface IEntry {
    function owner() external view returns (address);
}

interface IApp is IEntry {
    function m_appName() external view returns (string memory);

    function m_appType() external view returns (string memory);

    function m_appMultiaddr() external view returns (bytes memory);

    function m_appChecksum() external view returns (bytes32);

    function m_appMREnclave() external view returns (bytes memory);
}

interface IDataset is IEntry {
    function m_datasetName() external view returns (string memory);

    function m_datasetMultiaddr() external view returns (bytes memory);

    function m_datasetChecksum() external view returns (bytes32);
}

interface IWorkerpool is IEntry {
    function m_workerpoolDescription() external view returns (string memory);

    function m_workerStakeRatioPolicy() external view returns (uint256);

    function m_schedulerRewardRatioPolicy() external view returns (uint256);
}

interface IERC1271 {
    function isValidSignature(bytes32 hash, bytes calldata signature)
        external
        view
        returns (bytes4);
}

/// ERC-734 key manager: a contract that stands for a group of addresses in a restriction.
interface IKeyManager {
    function keyHasPurpose(bytes32 key, uint256 purpose) external view returns (bool);
}

/// The hub of generation 3, asked once per worker for an old score.
interface IScoreSource {
    function viewScore(address worker) external view returns (uint256);
}

/// ERC-1154 consumer: the callback of a deal.
interface IOracleConsumer {
    function receiveResult(bytes32 id, bytes calldata result) external;
}
