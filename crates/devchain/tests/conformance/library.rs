//! What alloy sees.

use alloy::contract::Error as ContractError;
use alloy::eips::BlockNumberOrTag;
use alloy::network::{Ethereum, EthereumWallet, TransactionBuilder};
use alloy::primitives::{Address, Bytes, U256};
use alloy::providers::{PendingTransactionBuilder, Provider, ProviderBuilder, WsConnect};
use alloy::rpc::types::{Filter, TransactionReceipt, TransactionRequest};
use alloy::sol;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep, timeout};

use crate::{Answers, ours};

sol! {
    #[sol(rpc)]
    contract Probe {
        error TooBig(uint256 given, uint256 limit);
        event Stored(address indexed by, uint256 indexed value, string note);
        function value() external view returns (uint256);
        function store(uint256 next) external payable returns (uint256 before);
        function failWithReason() external pure;
        function failWithError(uint256 given) external pure;
    }
}

/// The account the checks here use: none of the other checks counts on its nonce.
const SENDER: u32 = 9;

fn payment(to: Address) -> TransactionRequest {
    TransactionRequest::default()
        .with_to(to)
        .with_value(U256::from(5))
        .with_max_fee_per_gas(0)
        .with_max_priority_fee_per_gas(0)
}

/// Between two looks for a receipt, and when to give up.
const RECEIPT_POLL: Duration = Duration::from_millis(10);
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Sends and waits for the receipt. Alloy's own wait misses a block between its question and its
/// subscription, and then never ends; anvil mines a moment after it has answered.
async fn mined<P: Provider>(
    provider: &P,
    sent: PendingTransactionBuilder<Ethereum>,
) -> Result<TransactionReceipt> {
    let ask = async {
        loop {
            if let Some(receipt) = provider.get_transaction_receipt(*sent.tx_hash()).await? {
                return Ok(receipt);
            }
            sleep(RECEIPT_POLL).await;
        }
    };
    soon("a receipt", ask).await
}

/// What `answer` gives, or that it did not come.
async fn soon<T>(what: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = timeout(ANSWER_MAX, answer).await;
    answer.with_context(|| format!("waited for {what}"))?
}

/// Runs the checks against the node at `address`, then undoes what they did.
pub(crate) async fn examine(address: &str, probe: &Value) -> Result<Answers> {
    let wallet = EthereumWallet::from(ours::key(SENDER)?);
    let provider = ProviderBuilder::new()
        .wallet(wallet.clone())
        .connect_http(format!("http://{address}").parse()?);
    let snapshot: Value = provider.raw_request("evm_snapshot".into(), ()).await?;
    let mut answers = Answers::new();
    let code = probe["bytecode"].as_str().context("no bytecode")?;
    let contract = deploy(&provider, code, &mut answers).await?;
    reads(&provider, &mut answers).await?;
    errors(&provider, contract, &mut answers).await?;
    let sockets = ProviderBuilder::new()
        .wallet(wallet.clone())
        .connect_ws(WsConnect::new(format!("ws://{address}")))
        .await?;
    // Another one: alloy counted the nonce of the transaction that was refused.
    let sender = ProviderBuilder::new()
        .wallet(wallet.clone())
        .connect_http(format!("http://{address}").parse()?);
    news(&sockets, &sender, contract, &mut answers).await?;
    let payment = payment(ours::key(1)?.address());
    let receipt = mined(&sockets, sockets.send_transaction(payment).await?).await?;
    answers.insert("alloy: over a socket".into(), json!(receipt.status()));
    let undone: bool = provider
        .raw_request("evm_revert".into(), (snapshot,))
        .await?;
    answers.insert("alloy: undone".into(), json!(undone));
    Ok(answers)
}

async fn deploy(provider: &impl Provider, code: &str, answers: &mut Answers) -> Result<Address> {
    let code = [
        code.parse::<Bytes>()?.to_vec(),
        U256::from(7).to_be_bytes_vec(),
    ]
    .concat();
    let request = TransactionRequest::default()
        .with_deploy_code(code)
        .with_max_fee_per_gas(0)
        .with_max_priority_fee_per_gas(0);
    let receipt = mined(provider, provider.send_transaction(request).await?).await?;
    let found = json!([receipt.status(), receipt.contract_address, receipt.gas_used]);
    answers.insert("alloy: deployment".into(), found);
    receipt.contract_address.context("no contract")
}

async fn reads(provider: &impl Provider, answers: &mut Answers) -> Result<()> {
    let mut note = |name: &str, value: Value| answers.insert(format!("alloy: {name}"), value);
    let (sender, bob) = (ours::key(SENDER)?.address(), ours::key(1)?.address());
    note("chain id", json!(provider.get_chain_id().await?));
    note("accounts", json!(provider.get_accounts().await?));
    note("gas price", json!(provider.get_gas_price().await?));
    let receipt = mined(provider, provider.send_transaction(payment(bob)).await?).await?;
    note("payment", json!([receipt.status(), receipt.gas_used]));
    let both = [payment(bob), payment(bob)];
    for request in both {
        mined(provider, provider.send_transaction(request).await?).await?;
    }
    let nonce = provider.get_transaction_count(sender).pending().await?;
    note("nonce", json!(nonce));
    let block = provider.get_block(BlockNumberOrTag::Latest.into()).full();
    let block = block.await?.context("no block")?;
    let counted = json!([block.transactions.len(), block.header.gas_used]);
    note("block", counted);
    let receipts = provider.get_block_receipts(block.header.number.into());
    note("receipts", json!(receipts.await?.map(|all| all.len())));
    let fees = provider.get_fee_history(2, BlockNumberOrTag::Latest, &[50.0]);
    let fees = fees.await?;
    note(
        "fee history",
        json!([fees.gas_used_ratio.len(), fees.reward.map(|all| all.len())]),
    );
    let pay = provider.estimate_gas(payment(bob).with_from(sender));
    note("estimate", json!(pay.await?));
    let nothing = provider.get_transaction_receipt(Default::default()).await?;
    note("no receipt", json!(nothing.is_none()));
    Ok(())
}

fn failure(error: &ContractError) -> Value {
    let decoded = error.as_decoded_error::<Probe::TooBig>();
    json!([
        error.as_revert_data(),
        decoded.map(|error| error.given.to_string())
    ])
}

async fn errors(provider: &impl Provider, contract: Address, answers: &mut Answers) -> Result<()> {
    let mut note = |name: &str, value: Value| answers.insert(format!("alloy: {name}"), value);
    let contract = Probe::new(contract, provider);
    note("value", json!(contract.value().call().await?));
    let error = contract.failWithError(U256::from(11)).call().await;
    note(
        "custom error",
        error.map_or_else(|error| failure(&error), |_| Value::Null),
    );
    let error = contract.failWithReason().call().await;
    note(
        "reason",
        error.map_or_else(|error| failure(&error), |_| Value::Null),
    );
    let error = contract.failWithReason().estimate_gas().await;
    note(
        "estimate with reason",
        error.map_or_else(|error| failure(&error), |gas| json!(gas)),
    );
    let poor = payment(Address::ZERO).with_value(U256::MAX / U256::from(2));
    let poor = provider.send_transaction(poor.with_gas_limit(21_000)).await;
    note("no money", json!(poor.is_err()));
    Ok(())
}

/// Listens by `sockets` and sends by `provider`: with its first transaction alloy subscribes to the
/// heads a second time, and drops what the node still sends to the first subscription.
async fn news(
    sockets: &impl Provider,
    provider: &impl Provider,
    contract: Address,
    answers: &mut Answers,
) -> Result<()> {
    let mut note = |name: &str, value: Value| answers.insert(format!("alloy: {name}"), value);
    let filter = Filter::new().address(contract);
    let mut heads = sockets.subscribe_blocks().await?;
    let mut logs = sockets.subscribe_logs(&filter).await?;
    let polled = provider.new_filter(&filter).await?;
    let contract = Probe::new(contract, provider);
    let store = contract.store(U256::from(33));
    let store = store.max_fee_per_gas(0).max_priority_fee_per_gas(0);
    let receipt = mined(provider, store.send().await?).await?;
    let head = soon("a head", async { Ok(heads.recv().await?) }).await?;
    note("heads", json!(receipt.block_number == Some(head.number)));
    let log = soon("a log", async { Ok(logs.recv().await?) }).await?;
    let log = log.log_decode::<Probe::Stored>()?;
    note("logs", json!([log.inner.data.value, log.inner.data.note]));
    let polled: Vec<alloy::rpc::types::Log> = provider.get_filter_changes(polled).await?;
    note("filter", json!(polled.len()));
    let queried = contract.Stored_filter().from_block(head.number);
    note("query", json!(queried.query().await?.len()));
    Ok(())
}
