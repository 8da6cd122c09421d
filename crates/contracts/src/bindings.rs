//! Generated from `contracts/artifacts`, which `cargo xtask contracts` writes.
#![expect(
    clippy::too_many_arguments,
    reason = "the published functions have as many as they have"
)]

use alloy::sol;

sol!(
    #[sol(rpc, all_derives)]
    #[derive(serde::Serialize, serde::Deserialize)]
    Hub,
    "../../contracts/artifacts/Hub.json"
);

sol!(
    #[sol(rpc)]
    HubExtension,
    "../../contracts/artifacts/HubExtension.json"
);

sol!(
    #[sol(rpc)]
    HubExtensionNative,
    "../../contracts/artifacts/HubExtensionNative.json"
);

sol!(
    #[sol(rpc, all_derives)]
    HubNative,
    "../../contracts/artifacts/HubNative.json"
);

sol!(
    #[sol(rpc)]
    Boost,
    "../../contracts/artifacts/Boost.json"
);

sol!(
    #[sol(rpc, all_derives)]
    AppRegistry,
    "../../contracts/artifacts/AppRegistry.json"
);

sol!(
    #[sol(rpc, all_derives)]
    DatasetRegistry,
    "../../contracts/artifacts/DatasetRegistry.json"
);

sol!(
    #[sol(rpc, all_derives)]
    WorkerpoolRegistry,
    "../../contracts/artifacts/WorkerpoolRegistry.json"
);

sol!(
    #[sol(rpc, all_derives)]
    App,
    "../../contracts/artifacts/App.json"
);

sol!(
    #[sol(rpc, all_derives)]
    Dataset,
    "../../contracts/artifacts/Dataset.json"
);

sol!(
    #[sol(rpc, all_derives)]
    Workerpool,
    "../../contracts/artifacts/Workerpool.json"
);

sol!(
    #[sol(rpc, all_derives)]
    Rlc,
    "../../contracts/artifacts/Rlc.json"
);
