//! What an owner says in a dataset order holds: the price is paid to the owner, nobody else than
//! those named may use it, not more often than said, and not after it is cancelled. The client
//! says so before it sends anything; the contracts hold it without the client too.

use alloy::primitives::{Address, B256, U256};
use anyhow::{Context as _, Result, ensure};
use chain::{Actor, NewAsset, Wallet};
use iexec_tests::{
    app::Image,
    bench::{Bench, World},
    cast::{Ask, Cast, Deal},
    files::FileServer,
    task::PoolTask,
};
use network::{Role, local_wallet};
use protocol::{
    Tag, multiaddr,
    order::{AppOrder, DatasetOrder, RequestOrder, Signed},
};
use sdk::{
    Client, Error, chains,
    files::network_json::{self, NetworkFile},
    order::{AnyOrder, facts::Trusted, fill, life},
    run::check::{Mismatch, Orders},
};
use sha2::{Digest as _, Sha256};

const DATA: &[(&str, &str)] = &[("data.csv", "a,b\n1,2\n")];
/// nRLC a use, whoever uses it.
const PRICE: u64 = 700;
const POOL_PRICE: u64 = 1_000;
/// Uses that one order allows.
const USES: u64 = 2;
/// The dataset is the result.
const SCRIPT: &str =
    "cp $IEXEC_IN/$IEXEC_DATASET_FILENAME $IEXEC_OUT/seen; declare_result $IEXEC_OUT/seen";

/// A dataset, two apps, and who owns and wants them.
struct Trade {
    world: World,
    client: Client,
    owner: Actor,
    dataset: Address,
    granted: Address,
    other: Address,
    files: FileServer,
}

impl Trade {
    async fn open(bench: &Bench) -> Result<Self> {
        let world = bench.network(1).await?;
        let files = FileServer::start(DATA).await?;
        let file = std::fs::read_to_string(bench.data_dir().join(network_json::FILE_NAME))?;
        let chain = chains::resolve(None, None, Some(&NetworkFile::parse(&file)?))?;
        let client = Client::connect(chain).await?;
        let owner = client.actor(local_wallet(Role::Faucet, 0));
        let asset = NewAsset::Dataset {
            owner: owner.address(),
            name: "governed".to_owned(),
            multiaddr: multiaddr::encode(&files.url(DATA[0].0)).into(),
            checksum: B256::from_slice(&Sha256::digest(DATA[0].1)),
        };
        let dataset = owner.create(&asset).await?.0;
        let cast = &world.cast;
        let app = async |name: &str, script: &str| {
            let name = format!("{}-{name}", bench.test);
            let image = Image::of_script(&cast.engine, &name, script).await?;
            image.deploy(&cast.developer).await
        };
        let granted = app("granted", SCRIPT).await?;
        let other = app("other", "exit 1").await?;
        Ok(Self {
            world,
            client,
            owner,
            dataset,
            granted,
            other,
            files,
        })
    }

    fn cast(&self) -> &Cast {
        &self.world.cast
    }

    /// For the granted app and the requester alone; `salt` makes it another order.
    fn grant(&self, salt: u8) -> Result<Signed<DatasetOrder>> {
        let order = DatasetOrder {
            dataset: self.dataset,
            datasetprice: U256::from(PRICE),
            volume: U256::from(USES),
            tag: Tag::NONE,
            apprestrict: self.granted,
            workerpoolrestrict: Address::ZERO,
            requesterrestrict: self.cast().requester.address(),
            salt: B256::repeat_byte(salt),
        };
        let domain = self.cast().hub.domain();
        Ok(self.owner.wallet().sign_order(order, domain)?)
    }

    /// The other orders of a run of `app` for `who`.
    fn wishes(&self, app: Address, who: &Wallet, max: u64) -> Result<Wished> {
        let cast = self.cast();
        let ask = Ask {
            pool_price: POOL_PRICE,
            ..Ask::default()
        };
        let mut request = cast.request_order(app, &ask)?.order;
        request.dataset = self.dataset;
        request.datasetmaxprice = U256::from(max);
        request.requester = who.address();
        request.beneficiary = who.address();
        Ok(Wished {
            app: cast.app_order(app, &ask)?,
            request: who.sign_order(request, cast.hub.domain())?,
            ask,
        })
    }

    async fn run(&self, grant: &Signed<DatasetOrder>) -> Result<Deal> {
        let wished = self.wishes(self.granted, self.cast().requester.wallet(), PRICE)?;
        let Wished { app, request, ask } = &wished;
        self.cast().match_with(app, grant, request, ask).await
    }

    /// Neither client nor contracts make this deal, and nobody pays; the client's reason.
    async fn refused(&self, grant: &Signed<DatasetOrder>, wished: &Wished) -> Result<Mismatch> {
        let cast = self.cast();
        let payer = wished.request.order.requester;
        let before = cast.hub.account(payer).await?;
        let orders = Orders {
            app: wished.app.clone(),
            dataset: grant.clone(),
            workerpool: cast.pool_order(&wished.ask)?,
            request: wished.request.clone(),
        };
        let estimated = fill::estimate(&self.client, &orders, Trusted::default()).await;
        let Wished { app, request, ask } = wished;
        let matched = cast.match_with(app, grant, request, ask).await;
        ensure!(matched.is_err(), "the contracts made the deal");
        ensure!(cast.hub.account(payer).await? == before, "somebody paid");
        match estimated {
            Err(Error::Unmatchable(mismatch)) => Ok(mismatch),
            other => anyhow::bail!("the client says {other:?}"),
        }
    }
}

/// Everything but the dataset order.
struct Wished {
    app: Signed<AppOrder>,
    request: Signed<RequestOrder>,
    ask: Ask,
}

/// All rules of one dataset order, on one network.
pub(crate) async fn dataset_orders_are_kept(bench: Bench) -> Result<()> {
    let trade = Trade::open(&bench).await?;
    let grant = trade.grant(1)?;
    restrictions(&trade, &grant).await.context("restrictions")?;
    price_and_volume(&trade, &grant)
        .await
        .context("price and volume")?;
    cancelled(&trade).await.context("cancelled")?;
    trade.world.stop().await
}

async fn restrictions(trade: &Trade, grant: &Signed<DatasetOrder>) -> Result<()> {
    let cast = trade.cast();
    let requester = cast.requester.wallet();
    let other_app = trade.wishes(trade.other, requester, PRICE)?;
    let expected = Mismatch::Restricted {
        kind: "dataset",
        to: "app",
        only: trade.granted,
    };
    assert_eq!(trade.refused(grant, &other_app).await?, expected);
    let other_requester = trade.wishes(trade.granted, cast.developer.wallet(), PRICE)?;
    let expected = Mismatch::Restricted {
        kind: "dataset",
        to: "requester",
        only: requester.address(),
    };
    assert_eq!(trade.refused(grant, &other_requester).await?, expected);
    let too_little = trade.wishes(trade.granted, requester, PRICE - 1)?;
    let price = trade.refused(grant, &too_little).await?;
    assert!(
        matches!(
            price,
            Mismatch::Price {
                kind: "dataset",
                ..
            }
        ),
        "{price}"
    );
    let mut forged = grant.clone();
    forged.order.apprestrict = Address::ZERO;
    let forged = trade.refused(&forged, &other_app).await?;
    assert!(
        matches!(
            forged,
            Mismatch::Unsigned {
                kind: "dataset",
                ..
            }
        ),
        "{forged}"
    );
    Ok(())
}

/// Each use is paid when its task is finalized; what is left over is nobody's.
async fn price_and_volume(trade: &Trade, grant: &Signed<DatasetOrder>) -> Result<()> {
    let cast = trade.cast();
    let stake = async || anyhow::Ok(cast.hub.account(trade.owner.address()).await?.stake);
    let before = stake().await?;
    for number in 1..=USES {
        let deal = trade.run(grant).await?;
        Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
        let result = cast.result(deal.tasks[0]).await?;
        assert_eq!(result.text("seen")?, DATA[0].1);
        let earned = stake().await? - before;
        assert_eq!(earned, U256::from(number * PRICE), "use {number}");
    }
    let again = trade.wishes(trade.granted, cast.requester.wallet(), PRICE)?;
    let used_up = trade.refused(grant, &again).await?;
    assert_eq!(used_up, Mismatch::Consumed { kind: "dataset" });
    Ok(())
}

/// Whoever has kept a copy of a cancelled order has nothing; only its owner can cancel it.
async fn cancelled(trade: &Trade) -> Result<()> {
    let cast = trade.cast();
    let grant = trade.grant(2)?;
    let order = AnyOrder::Dataset(grant.clone());
    let stranger = life::cancel(&trade.client, &cast.requester, &order).await;
    ensure!(
        matches!(stranger, Err(Error::NotOwner { .. })),
        "{stranger:?}"
    );
    life::cancel(&trade.client, &trade.owner, &order).await?;
    let wished = trade.wishes(trade.granted, cast.requester.wallet(), PRICE)?;
    let refused = trade.refused(&grant, &wished).await?;
    assert_eq!(refused, Mismatch::Consumed { kind: "dataset" });
    let again = life::cancel(&trade.client, &trade.owner, &order).await;
    ensure!(matches!(again, Err(Error::Closed { .. })), "{again:?}");
    Ok(())
}

/// What an owner serves may be gone, or another file: that is the result of a standard task, as a
/// failed input is.
pub(crate) async fn datasets_that_cannot_be_given(bench: Bench) -> Result<()> {
    let trade = Trade::open(&bench).await?;
    let here = trade.files.url(DATA[0].0);
    let gone = trade.files.url("gone.csv");
    for (url, cause, told) in [
        (&gone, "DATASET_FILE_DOWNLOAD_FAILED", "404"),
        (&here, "DATASET_FILE_BAD_CHECKSUM", "on chain it is 0x0707"),
    ] {
        let task = run_with(&trade, url, cause).await.context(cause)?;
        ensure!(
            task.message().contains(told),
            "no `{told}` in `{}`",
            task.message()
        );
    }
    trade.world.stop().await
}

/// Runs the granted app with a dataset at that URL and a checksum of nothing.
async fn run_with(trade: &Trade, url: &str, cause: &str) -> Result<PoolTask> {
    let cast = trade.cast();
    let asset = NewAsset::Dataset {
        owner: trade.owner.address(),
        name: url.to_owned(),
        multiaddr: multiaddr::encode(url).into(),
        checksum: B256::repeat_byte(7),
    };
    let mut grant = trade.grant(3)?.order;
    grant.dataset = trade.owner.create(&asset).await?.0;
    let domain = cast.hub.domain();
    let grant = trade.owner.wallet().sign_order(grant, domain)?;
    let Wished { app, request, ask } =
        trade.wishes(trade.granted, cast.requester.wallet(), PRICE)?;
    let mut request = request.order;
    request.dataset = grant.order.dataset;
    let request = cast.requester.wallet().sign_order(request, domain)?;
    let deal = cast.match_with(&app, &grant, &request, &ask).await?;
    let task = cast.ended_one(&deal).await?;
    Cast::expect_end(&task, "COMPLETED", cause)?;
    let result = cast.result(deal.tasks[0]).await?;
    ensure!(
        result.text("error.txt")?.starts_with("[IEXEC] "),
        "no error.txt"
    );
    Ok(task)
}
