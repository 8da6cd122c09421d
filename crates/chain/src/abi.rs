//! The slice of the official ABI that the client speaks (spec/contracts.md §3, §8, §23).
//!
//! It is declared here and not taken from our compiled contracts: the client must work against
//! the official ones, so it must not depend on what ours happen to contain.

use alloy::sol;

sol! {
    #![sol(all_derives)]

    struct AppOrder {
        address app; uint256 appprice; uint256 volume; bytes32 tag; address datasetrestrict;
        address workerpoolrestrict; address requesterrestrict; bytes32 salt; bytes sign;
    }
    struct DatasetOrder {
        address dataset; uint256 datasetprice; uint256 volume; bytes32 tag; address apprestrict;
        address workerpoolrestrict; address requesterrestrict; bytes32 salt; bytes sign;
    }
    struct WorkerpoolOrder {
        address workerpool; uint256 workerpoolprice; uint256 volume; bytes32 tag;
        uint256 category; uint256 trust; address apprestrict; address datasetrestrict;
        address requesterrestrict; bytes32 salt; bytes sign;
    }
    struct RequestOrder {
        address app; uint256 appmaxprice; address dataset; uint256 datasetmaxprice;
        address workerpool; uint256 workerpoolmaxprice; address requester; uint256 volume;
        bytes32 tag; uint256 category; uint256 trust; address beneficiary; address callback;
        string params; bytes32 salt; bytes sign;
    }
    struct AppOrderOperation { AppOrder order; uint8 operation; bytes sign; }
    struct DatasetOrderOperation { DatasetOrder order; uint8 operation; bytes sign; }
    struct WorkerpoolOrderOperation { WorkerpoolOrder order; uint8 operation; bytes sign; }
    struct RequestOrderOperation { RequestOrder order; uint8 operation; bytes sign; }

    struct Resource { address pointer; address owner; uint256 price; }
    struct Deal {
        Resource app; Resource dataset; Resource workerpool; uint256 trust; uint256 category;
        bytes32 tag; address requester; address beneficiary; address callback; string params;
        uint256 startTime; uint256 botFirst; uint256 botSize; uint256 workerStake;
        uint256 schedulerRewardRatio; address sponsor;
    }
    struct Task {
        uint8 status; bytes32 dealid; uint256 idx; uint256 timeref; uint256 contributionDeadline;
        uint256 revealDeadline; uint256 finalDeadline; bytes32 consensusValue;
        uint256 revealCounter; uint256 winnerCounter; address[] contributors;
        bytes32 resultDigest; bytes results; uint256 resultsTimestamp; bytes resultsCallback;
    }
    struct ContributionView {
        uint8 status; bytes32 resultHash; bytes32 resultSeal; address enclaveChallenge;
        uint256 weight;
    }
    struct AccountView { uint256 stake; uint256 locked; }
    struct CategoryView { string name; string description; uint256 workClockTimeRef; }

    interface Hub {
        function token() external view returns (address);
        function appregistry() external view returns (address);
        function datasetregistry() external view returns (address);
        function workerpoolregistry() external view returns (address);
        function viewDeal(bytes32 id) external view returns (Deal memory);
        function viewTask(bytes32 id) external view returns (Task memory);
        function viewContribution(bytes32 id, address worker) external view
            returns (ContributionView memory);
        function viewScore(address worker) external view returns (uint256);
        function viewAccount(address account) external view returns (AccountView memory);
        function viewConsumed(bytes32 hash) external view returns (uint256);
        function viewCategory(uint256 id) external view returns (CategoryView memory);
        function countCategory() external view returns (uint256);
        function verifySignature(address signer, bytes32 hash, bytes sign) external view
            returns (bool);
        function assertDatasetDealCompatibility(DatasetOrder order, bytes32 dealid)
            external view;
        error IncompatibleDatasetOrder(string reason);
        function verifyPresignature(address signer, bytes32 hash) external view returns (bool);

        function matchOrders(AppOrder a, DatasetOrder d, WorkerpoolOrder w, RequestOrder r)
            external returns (bytes32);
        function initialize(bytes32 dealid, uint256 idx) external returns (bytes32);
        function initializeArray(bytes32[] dealids, uint256[] idx) external returns (bool);
        function contribute(bytes32 taskid, bytes32 resultHash, bytes32 resultSeal,
            address enclaveChallenge, bytes enclaveSign, bytes authorizationSign) external;
        function contributeAndFinalize(bytes32 taskid, bytes32 resultDigest, bytes results,
            bytes resultsCallback, address enclaveChallenge, bytes enclaveSign,
            bytes authorizationSign) external;
        function reveal(bytes32 taskid, bytes32 resultDigest) external;
        function reopen(bytes32 taskid) external;
        function finalize(bytes32 taskid, bytes results, bytes resultsCallback) external;
        function claim(bytes32 taskid) external;
        function claimArray(bytes32[] taskids) external returns (bool);
        function initializeAndClaimArray(bytes32[] dealids, uint256[] idx) external
            returns (bool);
        /// Ours only: calls as the caller, all or none (docs/contracts.md).
        function multicall(bytes[] calls) external returns (bytes[] memory);
        function deposit() external payable returns (bool);
        function withdraw(uint256 amount) external returns (bool);
        function approve(address spender, uint256 amount) external returns (bool);
        function allowance(address account, address spender) external view returns (uint256);
        function owner() external view returns (address);
        function createCategory(string name, string description, uint256 workClockTimeRef)
            external returns (uint256);
        function manageAppOrder(AppOrderOperation op) external;
        function manageDatasetOrder(DatasetOrderOperation op) external;
        function manageWorkerpoolOrder(WorkerpoolOrderOperation op) external;
        function manageRequestOrder(RequestOrderOperation op) external;

        event SchedulerNotice(address indexed workerpool, bytes32 dealid);
        event OrdersMatched(bytes32 dealid, bytes32 appHash, bytes32 datasetHash,
            bytes32 workerpoolHash, bytes32 requestHash, uint256 volume);
        event ClosedAppOrder(bytes32 hash);
        event ClosedDatasetOrder(bytes32 hash);
        event ClosedWorkerpoolOrder(bytes32 hash);
        event ClosedRequestOrder(bytes32 hash);
        event TaskInitialize(bytes32 indexed taskid, address indexed workerpool);
        event TaskContribute(bytes32 indexed taskid, address indexed worker, bytes32 hash);
        event TaskConsensus(bytes32 indexed taskid, bytes32 consensus);
        event TaskReveal(bytes32 indexed taskid, address indexed worker, bytes32 digest);
        event TaskReopen(bytes32 indexed taskid);
        event TaskFinalize(bytes32 indexed taskid, bytes results);
        event TaskClaimed(bytes32 indexed taskid);
        event Transfer(address indexed from, address indexed to, uint256 value);
        event CreateCategory(uint256 catid, string name, string description,
            uint256 workClockTimeRef);
    }

    interface Registry {
        function isRegistered(address entry) external view returns (bool);
        function balanceOf(address owner) external view returns (uint256);
        function tokenOfOwnerByIndex(address owner, uint256 index) external view
            returns (uint256);
        function safeTransferFrom(address from, address to, uint256 id) external;
        function createApp(address owner, string name, string kind, bytes multiaddr,
            bytes32 checksum, bytes mrenclave) external returns (address);
        function predictApp(address owner, string name, string kind, bytes multiaddr,
            bytes32 checksum, bytes mrenclave) external view returns (address);
        function createDataset(address owner, string name, bytes multiaddr, bytes32 checksum)
            external returns (address);
        function predictDataset(address owner, string name, bytes multiaddr, bytes32 checksum)
            external view returns (address);
        function createWorkerpool(address owner, string description) external
            returns (address);
        function predictWorkerpool(address owner, string description) external view
            returns (address);

        event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
    }

    interface Entry {
        function owner() external view returns (address);
        function m_appName() external view returns (string);
        function m_appType() external view returns (string);
        function m_appMultiaddr() external view returns (bytes);
        function m_appChecksum() external view returns (bytes32);
        function m_appMREnclave() external view returns (bytes);
        function m_datasetName() external view returns (string);
        function m_datasetMultiaddr() external view returns (bytes);
        function m_datasetChecksum() external view returns (bytes32);
        function m_workerpoolDescription() external view returns (string);
        function m_workerStakeRatioPolicy() external view returns (uint256);
        function m_schedulerRewardRatioPolicy() external view returns (uint256);
        function setName(address ens, string name) external;
    }

    interface Names {
        function owner(bytes32 node) external view returns (address);
        function resolver(bytes32 node) external view returns (address);
        function setResolver(bytes32 node, address resolver) external;
    }

    interface Resolver {
        function addr(bytes32 node) external view returns (address);
        function name(bytes32 node) external view returns (string);
        function setAddr(bytes32 node, address target) external;
        function setText(bytes32 node, string key, string value) external;
    }

    interface Registrar {
        function register(bytes32 label, address owner) external;
    }

    interface ReverseRegistrar {
        function setName(string name) external returns (bytes32);
    }

    interface Group {
        function keyHasPurpose(bytes32 key, uint256 purpose) external view returns (bool);
    }

    interface Token {
        function balanceOf(address account) external view returns (uint256);
        function transfer(address to, uint256 amount) external returns (bool);
        function approveAndCall(address spender, uint256 amount, bytes data) external
            returns (bool);
    }
}
