//! The few official functions the deployment and its tests call.

use alloy::sol;

sol! {
    #[derive(Debug)]
    struct FacetCut { address facetAddress; uint8 action; bytes4[] functionSelectors; }
    #[derive(Debug)]
    struct DiamondArgs { address owner; address init; bytes initCalldata; }

    #[derive(Debug)]
    struct AppOrder {
        address app; uint256 appprice; uint256 volume; bytes32 tag;
        address datasetrestrict; address workerpoolrestrict; address requesterrestrict;
        bytes32 salt;
    }
    #[derive(Debug)]
    struct WorkerpoolOrder {
        address workerpool; uint256 workerpoolprice; uint256 volume; bytes32 tag;
        uint256 category; uint256 trust;
        address apprestrict; address datasetrestrict; address requesterrestrict;
        bytes32 salt;
    }
    #[derive(Debug)]
    struct RequestOrder {
        address app; uint256 appmaxprice; address dataset; uint256 datasetmaxprice;
        address workerpool; uint256 workerpoolmaxprice; address requester; uint256 volume;
        bytes32 tag; uint256 category; uint256 trust; address beneficiary; address callback;
        string params; bytes32 salt;
    }

    contract Diamond {
        constructor(FacetCut[] cuts, DiamondArgs args);
        function init() external;
        function diamondCut(FacetCut[] cuts, address init, bytes data) external;
    }

    #[sol(rpc)]
    #[derive(Debug)]
    interface Registry {
        event Transfer(address indexed from, address indexed to, uint256 indexed id);

        function initialize(address previous) external;
        function setBaseURI(string uri) external;
        function createApp(
            address owner, string name, string kind, bytes multiaddr, bytes32 checksum,
            bytes mrenclave
        ) external returns (address);
        function predictApp(
            address owner, string name, string kind, bytes multiaddr, bytes32 checksum,
            bytes mrenclave
        ) external view returns (address);
        function createWorkerpool(address owner, string description) external returns (address);
        function predictWorkerpool(
            address owner, string description
        ) external view returns (address);
        function isRegistered(address entry) external view returns (bool);
    }

    #[sol(rpc)]
    #[derive(Debug)]
    interface Rlc {
        function transfer(address to, uint256 value) external returns (bool);
        function balanceOf(address account) external view returns (uint256);
        function approveAndCall(address spender, uint256 value, bytes data) external;
    }
}

/// The hub's own tuples: orders here carry their signature, which is not part of any hash.
#[expect(
    clippy::too_many_arguments,
    reason = "the official functions have that many"
)]
pub mod hub {
    use alloy::sol;

    sol! {
        #[derive(Debug)]
        struct Domain { string name; string version; uint256 chainId; address verifyingContract; }
        #[derive(Debug)]
        struct Category { string name; string description; uint256 workClockTimeRef; }
        #[derive(Debug)]
        struct Account { uint256 stake; uint256 locked; }
        #[derive(Debug)]
        struct AppOrder {
            address app; uint256 appprice; uint256 volume; bytes32 tag;
            address datasetrestrict; address workerpoolrestrict; address requesterrestrict;
            bytes32 salt; bytes sign;
        }
        #[derive(Debug)]
        struct DatasetOrder {
            address dataset; uint256 datasetprice; uint256 volume; bytes32 tag;
            address apprestrict; address workerpoolrestrict; address requesterrestrict;
            bytes32 salt; bytes sign;
        }
        #[derive(Debug)]
        struct WorkerpoolOrder {
            address workerpool; uint256 workerpoolprice; uint256 volume; bytes32 tag;
            uint256 category; uint256 trust;
            address apprestrict; address datasetrestrict; address requesterrestrict;
            bytes32 salt; bytes sign;
        }
        #[derive(Debug)]
        struct RequestOrder {
            address app; uint256 appmaxprice; address dataset; uint256 datasetmaxprice;
            address workerpool; uint256 workerpoolmaxprice; address requester; uint256 volume;
            bytes32 tag; uint256 category; uint256 trust; address beneficiary; address callback;
            string params; bytes32 salt; bytes sign;
        }
        #[derive(Debug)]
        struct Task {
            uint8 status; bytes32 dealid; uint256 idx; uint256 timeref;
            uint256 contributionDeadline; uint256 revealDeadline; uint256 finalDeadline;
            bytes32 consensusValue; uint256 revealCounter; uint256 winnerCounter;
            address[] contributors; bytes32 resultDigest; bytes results;
            uint256 resultsTimestamp; bytes resultsCallback;
        }

        #[sol(rpc)]
        #[derive(Debug)]
        interface Hub {
            event OrdersMatched(
                bytes32 dealid, bytes32 appHash, bytes32 datasetHash, bytes32 workerpoolHash,
                bytes32 requestHash, uint256 volume
            );
            event TaskInitialize(bytes32 indexed taskid, address indexed workerpool);
            event TaskFinalize(bytes32 indexed taskid, bytes results);

            function configure(
                address token, string name, string symbol, uint8 decimals, address appregistry,
                address datasetregistry, address workerpoolregistry, address v3hub
            ) external;
            function createCategory(
                string name, string description, uint256 workClockTimeRef
            ) external returns (uint256);
            function owner() external view returns (address);
            function token() external view returns (address);
            function appregistry() external view returns (address);
            function datasetregistry() external view returns (address);
            function workerpoolregistry() external view returns (address);
            function domain() external view returns (Domain memory);
            function countCategory() external view returns (uint256);
            function viewCategory(uint256 id) external view returns (Category memory);
            function viewAccount(address account) external view returns (Account memory);
            function viewTask(bytes32 taskid) external view returns (Task memory);
            function matchOrders(
                AppOrder app, DatasetOrder dataset, WorkerpoolOrder workerpool,
                RequestOrder request
            ) external returns (bytes32);
            function initialize(bytes32 dealid, uint256 idx) external returns (bytes32);
            function contributeAndFinalize(
                bytes32 taskid, bytes32 resultDigest, bytes results, bytes resultsCallback,
                address enclaveChallenge, bytes enclaveSign, bytes authorizationSign
            ) external;
        }
    }
}
