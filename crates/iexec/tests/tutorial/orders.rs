//! Trading by hand: a seller writes, signs, publishes and cancels orders; a buyer finds them, fills
//! them, asks for executions, and reads why nothing fits.

use std::{fs, time::Duration};

use alloy::{
    network::{EthereumWallet, TransactionBuilder as _},
    primitives::{Address, B256, Bytes, bytes},
    providers::{Provider as _, ProviderBuilder},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
};
use anyhow::{Context as _, Result, ensure};
use chain::{Actor, Hub, NewAsset};
use iexec_tests::bench::Bench;
use network::{Role, local_wallet};
use serde_json::{Value, json};

use crate::{keys, net::Net, person::Person};

const KINDS: &str = "apporder datasetorder workerpoolorder requestorder";
const RECORD: &str = "orderHash chainId order remaining status publicationTimestamp signer";
const DATASET_ORDER: &str = "orderHash price remaining dataset tag apprestrict workerpoolrestrict \
    requesterrestrict";
const POOL_ORDER: &str = "orderHash price remaining category tag trust workerpool apprestrict \
    datasetrestrict requesterrestrict";
const REQUEST_ORDER: &str = "orderHash app dataset workerpool requester beneficiary category tag \
    trust price remaining";
/// The local network's category for trying deadlines: a deal is over after ten seconds.
const FAST_CATEGORY: &str = "5";
/// Between two looks at the market.
const LOOK: Duration = Duration::from_millis(20);
/// A contract that says yes to everything: a group with everybody in it.
const EVERYBODY: Bytes = bytes!("69600160005260206000f3600052600a6016f3");

/// Two people and what one of them sells.
struct Trade {
    net: Net,
    actor: Actor,
    seller: Person,
    buyer: Person,
    app: Address,
    dataset: Address,
    /// Nobody works for it: its tasks stay open.
    pool: Address,
}

/// Plays all of it on a network of its own.
pub(crate) async fn tell(bench: Bench) -> Result<()> {
    let trade = Trade::open(&bench).await?;
    let hashes = trade.sell().await.context("sell")?;
    trade.strangers().await.context("strangers")?;
    trade.books(&hashes).await.context("books")?;
    trade.fill(&hashes).await.context("fill")?;
    trade.ask().await.context("request-execution")?;
    trade.close(&hashes).await.context("close")?;
    trade.nothing_fits().await.context("nothing fits")?;
    trade.groups().await.context("groups")?;
    trade.net.down().await
}

/// The hashes of the first four orders.
struct Hashes {
    app: String,
    dataset: String,
    pool: String,
    request: String,
}

impl Trade {
    async fn open(bench: &Bench) -> Result<Self> {
        let net = Net::up(&bench.data_dir(), bench.choice).await?;
        let hub = Hub::connect(&net.info.ws_url, net.info.hub).await?;
        let actor = Actor::new(hub, local_wallet(Role::Developer, 0));
        let app = deploy(&actor, app("sold")).await?;
        let dataset = NewAsset::Dataset {
            owner: actor.address(),
            name: "data".to_owned(),
            multiaddr: Bytes::from_static(b"https://a.b/c"),
            checksum: B256::repeat_byte(1),
        };
        let dataset = deploy(&actor, dataset).await?;
        let pool = NewAsset::Workerpool {
            owner: actor.address(),
            description: "idle".to_owned(),
        };
        let pool = deploy(&actor, pool).await?;
        let seller = person(bench, &net, Role::Developer).await?;
        let buyer = person(bench, &net, Role::Requester).await?;
        let chain = net.info.chain_id.to_string();
        let deployed = json!({
            "app": { &chain: app }, "dataset": { &chain: dataset }, "workerpool": { &chain: pool },
        });
        fs::write(seller.project().join("deployed.json"), deployed.to_string())?;
        Ok(Self {
            net,
            actor,
            seller,
            buyer,
            app,
            dataset,
            pool,
        })
    }

    /// Writes fields of an order of the seller's `iexec.json`.
    fn edit(&self, order: &str, edits: &[(&str, Value)]) -> Result<()> {
        let path = self.seller.project().join("iexec.json");
        let mut project: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        for (field, value) in edits {
            project["order"][order][*field] = value.clone();
        }
        Ok(fs::write(path, project.to_string())?)
    }

    /// Signs and publishes one kind of order; its hash.
    async fn publish(&self, kind: &str, edits: &[(&str, Value)]) -> Result<String> {
        self.edit(&format!("{kind}order"), edits)?;
        let sign = format!("order sign --{kind} --chain local");
        self.seller.raw(&sign).await?;
        let publish = format!("order publish --{kind} --force --chain local");
        let published = self.seller.raw(&publish).await?;
        text(&published[format!("{kind}order")]["orderHash"])
    }

    /// init → sign → publish → show, all four.
    async fn sell(&self) -> Result<Hashes> {
        let made = self.seller.raw("order init --chain local").await?;
        keys::check(&made, &format!("ok {KINDS}"))?;
        let everything = self.seller.raw_fails("order sign --chain local").await?;
        let failed = everything["fail"].as_array().context("nothing failed")?;
        ensure!(
            failed.len() == 1 && failed[0].to_string().contains("requestorder.app"),
            "{everything}"
        );
        let (app, dataset, pool) = (self.app, self.dataset, self.pool);
        self.edit("apporder", &[("appprice", json!("1 nRLC"))])?;
        let offer = [
            ("volume", json!(2)),
            ("category", json!(FAST_CATEGORY)),
            ("workerpoolprice", json!("0.00000001 RLC")),
        ];
        self.edit("workerpoolorder", &offer)?;
        let ask = [
            ("app", json!(app)),
            ("dataset", json!(dataset)),
            ("workerpool", json!(pool)),
            ("appmaxprice", json!(1)),
            ("workerpoolmaxprice", json!(10)),
            ("volume", json!("4")),
            ("category", json!(5)),
        ];
        self.edit("requestorder", &ask)?;
        let signed = self.seller.raw("order sign --chain local").await?;
        keys::check(&signed, &format!("ok {KINDS}"))?;
        let file = fs::read_to_string(self.seller.project().join("orders.json"))?;
        let file: Value = serde_json::from_str(&file)?;
        let saved = &file[self.net.info.chain_id.to_string()];
        for kind in KINDS.split_whitespace() {
            ensure!(saved[kind] == signed[kind], "{kind} in {file}");
        }
        let all = "--app --dataset --workerpool --request";
        let publish = format!("order publish {all} --force --chain local");
        let published = self.seller.raw(&publish).await?;
        let hash = |kind: &str| text(&published[kind]["orderHash"]);
        let again = self.seller.raw_fails(&publish).await?;
        ensure!(
            again["fail"][0].to_string().contains("apporder: ")
                && again["fail"][3].to_string().contains("already published"),
            "{again}"
        );
        let show = format!("order show {all} --deals --chain local");
        let shown = self.seller.raw(&show).await?;
        keys::check(&shown["apporder"], &format!("{RECORD} deals"))?;
        ensure!(shown["requestorder"]["deals"]["count"] == 0, "{shown}");
        Ok(Hashes {
            app: hash("apporder")?,
            dataset: hash("datasetorder")?,
            pool: hash("workerpoolorder")?,
            request: hash("requestorder")?,
        })
    }

    /// Nobody signs for somebody else; and one must say which order is meant.
    async fn strangers(&self) -> Result<()> {
        let mine = self.seller.project().join("iexec.json");
        fs::copy(mine, self.buyer.project().join("iexec.json"))?;
        let refused = self
            .buyer
            .raw_fails("order sign --app --chain local")
            .await?;
        let owner = self.actor.address().to_checksum(None);
        let told = refused["fail"][0].to_string();
        let hint = refused["error"]["hint"].to_string();
        ensure!(
            told.contains("must be the resource owner") && hint.contains(&owner),
            "{refused}"
        );
        ensure!(!self.buyer.project().join("orders.json").exists(), "signed");
        let which = self.buyer.raw_fails("order cancel --chain local").await?;
        ensure!(
            which["error"]["message"].to_string().contains("--app"),
            "{which}"
        );
        let none = self
            .buyer
            .raw_fails("order publish --app --chain local")
            .await?;
        ensure!(
            none["fail"][0].to_string().contains("Missing apporder in"),
            "{none}"
        );
        Ok(())
    }

    async fn count(&self, line: &str) -> Result<Value> {
        let book = self
            .buyer
            .raw(&format!("orderbook {line} --chain local"))
            .await?;
        Ok(book["count"].clone())
    }

    async fn books(&self, hashes: &Hashes) -> Result<()> {
        let (app, dataset, pool) = (self.app, self.dataset, self.pool);
        let seller = self.actor.address();
        let buyer = local_wallet(Role::Requester, 0).address();
        let mine = [("requesterrestrict", json!(buyer))];
        self.publish("app", &mine).await?;
        let for_buyer = format!("--requester {buyer}");
        let for_buyer_only = format!("{for_buyer} --requester-strict");
        for (filter, count) in [
            ("", 1),
            ("--min-volume 1000001", 0),
            ("--tag tee,tdx", 0),
            ("--requester any", 2),
            (&*for_buyer, 2),
            (&*for_buyer_only, 1),
        ] {
            let found = self.count(&format!("app {app} {filter}")).await?;
            ensure!(found == count, "{found} with `{filter}`, not {count}");
        }
        let book = |line: String| async move {
            let line = format!("orderbook {line} --chain local");
            self.buyer.raw(&line).await
        };
        let datasets = book(format!("dataset {dataset} --app {app}")).await?;
        keys::check(&datasets, "ok count datasetOrders")?;
        keys::check(&datasets["datasetOrders"][0], DATASET_ORDER)?;
        ensure!(
            datasets["datasetOrders"][0]["orderHash"] == hashes.dataset,
            "{datasets}"
        );
        let pools = book(format!("workerpool {pool} --category 5 --min-trust 0")).await?;
        keys::check(&pools["workerpoolOrders"][0], POOL_ORDER)?;
        ensure!(pools["workerpoolOrders"][0]["price"] == 10, "{pools}");
        let requests = book(format!("requester any --app {app} --workerpool {pool}")).await?;
        keys::check(&requests, "ok count requestOrders")?;
        keys::check(&requests["requestOrders"][0], REQUEST_ORDER)?;
        ensure!(
            requests["requestOrders"][0]["orderHash"] == hashes.request,
            "{requests}"
        );
        let mine = format!("requester {seller} --max-trust 0 --beneficiary {seller}");
        ensure!(
            self.count(&mine).await? == 0,
            "its workerpool is not asked for"
        );
        let mine = format!("{mine} --workerpool {pool} --workerpool-strict");
        ensure!(self.count(&mine).await? == 1, "not found");
        let words = self
            .buyer
            .iexec("orderbook workerpool --chain local")
            .await?;
        words.expect("orders found")
    }

    /// By hashes alone, twice: the second deal starts where the first ended.
    async fn fill(&self, hashes: &Hashes) -> Result<()> {
        let request = format!(
            "--app {} --dataset {} --request {}",
            hashes.app, hashes.dataset, hashes.request
        );
        let fill =
            |pool: &str| format!("order fill {request} --workerpool {pool} --force --chain local");
        let first = self.buyer.raw(&fill(&hashes.pool)).await?;
        keys::check(&first, "ok dealid volume txHash")?;
        ensure!(first["volume"] == "2", "{first}");
        let used = self.buyer.raw_fails(&fill(&hashes.pool)).await?;
        let told = used["error"]["message"].to_string();
        ensure!(
            told.contains("workerpool order is fully consumed"),
            "{used}"
        );
        let second = self.publish("workerpool", &[]).await?;
        let second = text(&self.buyer.raw(&fill(&second)).await?["dealid"])?;
        let show = format!("deal show {second} --chain local");
        let shown = self.buyer.raw(&show).await?;
        keys::check(&shown["deal"], keys::DEAL)?;
        ensure!(
            shown["deal"]["botFirst"] == "2" && shown["deal"]["botSize"] == "2",
            "{shown}"
        );
        let deals = format!(
            "order show --request {} --deals --chain local",
            hashes.request
        );
        // the market follows the chain a moment later; the test's own limit bounds the wait
        while self.buyer.raw(&deals).await?["requestorder"]["status"] != "filled" {
            tokio::time::sleep(LOOK).await;
        }
        let made = self.buyer.raw(&deals).await?;
        ensure!(made["requestorder"]["deals"]["count"] == 2, "{made}");
        self.claim(hashes, &text(&first["dealid"])?, &second).await
    }

    /// The official client cannot claim a deal whose first task is not number 0.
    async fn claim(&self, hashes: &Hashes, first: &str, second: &str) -> Result<()> {
        let claim = |deal: &str| format!("deal claim {deal} --chain local");
        self.net.rpc("evm_increaseTime", json!([10])).await?;
        self.net.rpc("evm_mine", json!([])).await?;
        for deal in [second, first] {
            let claimed = self.buyer.raw(&claim(deal)).await?;
            keys::check(&claimed, "ok claimed transactions")?;
            keys::check(&claimed["claimed"], "0 1")?;
            keys::check(&claimed["transactions"][0], "txHash type")?;
            ensure!(
                claimed["transactions"][0]["type"] == "initializeAndClaimArray",
                "{claimed}"
            );
            let nothing = self.buyer.raw_fails(&claim(deal)).await?;
            let told = nothing["error"]["message"].to_string();
            ensure!(told.contains("nothing to claim"), "{nothing}");
        }
        let pool = self.publish("workerpool", &[]).await?;
        let offers = format!("--app {} --workerpool {pool}", hashes.app);
        let fill = format!("order fill {offers} --params hello --force --chain local");
        let open = text(&self.seller.raw(&fill).await?["dealid"])?;
        let early = self.buyer.raw_fails(&claim(&open)).await?;
        ensure!(
            early["error"]["message"]
                .to_string()
                .contains("before its final"),
            "{early}"
        );
        let shown = self
            .buyer
            .raw(&format!("deal show {open} --chain local"))
            .await?;
        let params = r#"{"iexec_result_storage_provider":"ipfs","iexec_args":"hello"}"#;
        ensure!(shown["deal"]["params"] == params, "{shown}");
        Ok(())
    }

    /// A request on the market: checked against the account at the highest prices.
    async fn ask(&self) -> Result<()> {
        let app = self.app;
        let dear = format!("app request-execution {app} --workerpool-price 600 RLC --volume 2");
        let poor = self
            .buyer
            .raw_fails(&format!("{dear} --force --chain local"))
            .await?;
        solvency(&poor, "1200000000000")?;
        let ask = format!(
            "app request-execution {app} --app-price 1 --workerpool-price 10 nRLC --volume 3 \
             --args x --category 2 --force --chain local"
        );
        let asked = self.buyer.raw(&ask).await?;
        keys::check(&asked, "ok orderHash")?;
        let hash = text(&asked["orderHash"])?;
        let shown = self
            .seller
            .raw(&format!("order show --request {hash} --chain local"))
            .await?;
        let order = &shown["requestorder"]["order"];
        ensure!(order["volume"] == 3 && order["category"] == 2, "{shown}");
        ensure!(order["workerpoolmaxprice"] == 10, "{shown}");
        let back = format!("order unpublish --request {hash} --force --chain local");
        let back = self.buyer.raw(&back).await?;
        ensure!(back["requestorder"]["orderHash"] == hash, "{back}");
        Ok(())
    }

    /// Closed on chain, once; and off the market by hash alone.
    async fn close(&self, hashes: &Hashes) -> Result<()> {
        let cancel = "order cancel --app --dataset --force --chain local";
        let done = self.seller.raw(cancel).await?;
        keys::check(&done, "ok apporder datasetorder")?;
        keys::check(&done["apporder"], "txHash")?;
        let again = self.seller.raw_fails(cancel).await?;
        ensure!(
            again["fail"]
                == json!([
                    "apporder: apporder already canceled",
                    "datasetorder: datasetorder already canceled"
                ]),
            "{again}"
        );
        let fill = format!(
            "order fill --app {} --params x --force --chain local",
            hashes.app
        );
        let closed = self.seller.raw_fails(&fill).await?;
        let told = closed["error"]["message"].to_string();
        ensure!(told.contains("fully consumed"), "{closed}");
        let unpublish = format!("order unpublish --app {} --force --chain local", hashes.app);
        let done = self.seller.raw(&unpublish).await?;
        ensure!(done["apporder"]["orderHash"] == hashes.app, "{done}");
        let again = self.seller.raw_fails(&unpublish).await?;
        ensure!(
            again["fail"][0].to_string().contains("is not published"),
            "{again}"
        );
        Ok(())
    }

    async fn run_fails(&self, line: &str) -> Result<(String, String)> {
        let refused = self
            .buyer
            .raw_fails(&format!("app run {line} --chain local"))
            .await?;
        let error = &refused["error"];
        Ok((text(&error["message"])?, text(&error["hint"])?))
    }

    /// Why nothing fits, and what to do.
    async fn nothing_fits(&self) -> Result<()> {
        let other = deploy(&self.actor, app("other")).await?;
        let publish =
            |options: &str| format!("app publish {other} {options} --force --chain local");
        self.seller.raw(&publish("--tag tee,tdx")).await?;
        let (told, hint) = self.run_fails(&other.to_string()).await?;
        ensure!(told.contains("0.0 RLC: needs tag tee,tdx"), "{told}");
        ensure!(hint == "run it with --tag tee,tdx", "{hint}");
        let somebody = Address::repeat_byte(5);
        self.seller
            .raw(&publish(&format!("--requester-restrict {somebody}")))
            .await?;
        let (told, _) = self.run_fails(&other.to_string()).await?;
        ensure!(
            told.contains(&format!("restricted to requester {somebody}")),
            "{told}"
        );
        self.seller.raw(&publish("--price 2000 RLC")).await?;
        let poor = self
            .buyer
            .raw_fails(&format!("app run {other} --category 0 --chain local"))
            .await?;
        solvency(&poor, "2000000000000")?;
        self.publish("workerpool", &[]).await?;
        let (told, hint) = self
            .run_fails(&format!("{other} --workerpool {} --category 0", self.pool))
            .await?;
        ensure!(told.contains("category 5, wanted 0"), "{told}");
        ensure!(hint == "take --category 5", "{hint}");
        let file = "--input-files ftp://a/b";
        let bad = self
            .buyer
            .raw_fails(&format!("app run {other} {file} --chain local"))
            .await?;
        ensure!(
            bad["error"]["message"].to_string().contains("ftp://a/b"),
            "{bad}"
        );
        let tag = self
            .buyer
            .raw_fails(&format!("app run {other} --tag tdx --chain local"))
            .await?;
        ensure!(
            tag["error"]["message"]
                .to_string()
                .contains("'tdx' tag must be used with 'tee' tag"),
            "{tag}"
        );
        Ok(())
    }

    /// The market does not know who is in a group; the chain does.
    async fn groups(&self) -> Result<()> {
        let signer = PrivateKeySigner::from_bytes(&local_wallet(Role::Faucet, 0).key())?;
        let provider = ProviderBuilder::new()
            .wallet(EthereumWallet::from(signer))
            .connect_http(self.net.info.rpc_url.parse()?);
        let deploy_group = TransactionRequest::default().with_deploy_code(EVERYBODY);
        let receipt = provider.send_transaction(deploy_group).await?;
        let receipt = receipt.get_receipt().await?;
        let group = receipt.contract_address.context("no contract")?;
        let club = deploy(&self.actor, app("club")).await?;
        let publish = format!("app publish {club} --requester-restrict {group} --force");
        self.seller.raw(&format!("{publish} --chain local")).await?;
        let run = format!("app run {club} --volume 3 --category 0 --force --chain local");
        let started = self.buyer.raw(&run).await?;
        keys::check(&started["deals"][0], "dealid volume txHash")?;
        ensure!(started["deals"][0]["volume"] == "3", "{started}");
        Ok(())
    }
}

/// An app whose image nobody can pull: no task of it is waited for here.
fn app(name: &str) -> NewAsset {
    NewAsset::App {
        owner: local_wallet(Role::Developer, 0).address(),
        name: name.to_owned(),
        kind: "DOCKER".to_owned(),
        multiaddr: Bytes::from_static(b"127.0.0.1:1/nobody/nothing:1"),
        checksum: B256::repeat_byte(7),
        mrenclave: Bytes::new(),
    }
}

async fn deploy(actor: &Actor, asset: NewAsset) -> Result<Address> {
    Ok(actor.create(&asset).await?.0)
}

async fn person(bench: &Bench, net: &Net, role: Role) -> Result<Person> {
    let person = Person::new(&bench.data_dir())?;
    person.raw("init --skip-wallet").await?;
    person.import(&net.key(role)?).await?;
    Ok(person)
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("no text")?.to_owned())
}

/// Names the account, what is needed and there, and the command that helps.
fn solvency(refused: &Value, needed: &str) -> Result<()> {
    let buyer = local_wallet(Role::Requester, 0).address().to_checksum(None);
    let told = refused["error"]["message"].to_string();
    for part in [&buyer, needed, "locked"] {
        ensure!(told.contains(part), "no {part} in {refused}");
    }
    let hint = refused["error"]["hint"].to_string();
    ensure!(hint.contains("iexec account deposit"), "{refused}");
    Ok(())
}
