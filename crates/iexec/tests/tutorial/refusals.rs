//! Wrong uses of confidential computing, as a table: what is typed, and the refusal. Whoever types
//! has a wallet that cannot be unlocked, so nothing can have been signed; and nothing was sent.

use std::fs;

use alloy::primitives::{Address, B256, Bytes};
use anyhow::{Context as _, Result, anyhow, ensure};
use chain::{Actor, Hub, NewAsset};
use engine::testing::{self, Registry};
use iexec_tests::{bench::Bench, files::FileServer};
use network::{Role, local_wallet};
use protocol::multiaddr;
use sdk::dataset::cipher;
use serde_json::{Value, json};

use crate::{net::Net, person::Person};

/// Nobody answers there, so that the image is taken as declared, without a look-up.
const IMAGE: &str = "127.0.0.1:1/hello:1.0.0";
/// What somebody forgot to encrypt.
const PLAIN: &str = "name,salary\nAlice,1\nBob,2\nCarol,3\n";
const FILES: &[(&str, &str)] = &[("plain.csv", PLAIN)];
/// Of nothing here.
const KEY: &str = "N3IkzqY2a56Yux2sy2JRM4sBhmHGtK9ddOTQHFP8Gr8=";
/// Characters of an order's hash that a message shows, and their end.
const HASH_CHARS: usize = 10;

/// One wrong use.
struct Row {
    who: Who,
    line: &'static str,
    name: &'static str,
    code: &'static str,
    message: &'static str,
    hint: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Buyer,
    Seller,
}

const VALUE: &str = "ValidationError";
const ERROR: &str = "Error";
const ADD_TAG: &str =
    "add --tag tee,tdx, for an app and a workerpool that have it, or leave it out";
const SKIP: &str = "; or use --skip-preflight-check";
const REDEPLOY: &str = "its owner deploys it again; or use --skip-preflight-check";

const fn row(who: Who, line: &'static str, [name, code, message, hint]: [&'static str; 4]) -> Row {
    Row {
        who,
        line,
        name,
        code,
        message,
        hint,
    }
}

/// Secrets where no enclave is asked for, and tags that no enclave has.
const TAGS: [Row; 10] = [
    row(
        Who::Buyer,
        "app run {app} --secret 1=my-key",
        [
            VALUE,
            "SECRET_WITHOUT_TEE",
            "the run names secrets (1=my-key), but has no tag tee,tdx",
            ADD_TAG,
        ],
    ),
    row(
        Who::Buyer,
        "app request-execution {app} --secret 1=a 2=b",
        [
            VALUE,
            "SECRET_WITHOUT_TEE",
            "the run names secrets (1=a, 2=b), but has no tag tee,tdx",
            ADD_TAG,
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --encrypt-result",
        [
            VALUE,
            "ENCRYPTION_WITHOUT_TEE",
            "the result is to be encrypted, but the run has no tag tee,tdx",
            ADD_TAG,
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --storage-provider dropbox",
        [
            VALUE,
            "STORAGE_WITHOUT_TEE",
            "the result is to be stored on dropbox, but the run has no tag tee,tdx",
            ADD_TAG,
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tee,scone",
        [
            VALUE,
            "LEGACY_TEE_TAG",
            "Unsupported legacy TEE framework tag ('scone')",
            "use the tag tee,tdx in --tag: Scone and Gramine are legacy, and no worker serves \
             them any \
         more",
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tee,gramine",
        [
            VALUE,
            "LEGACY_TEE_TAG",
            "Unsupported legacy TEE framework tag ('gramine')",
            "use the tag tee,tdx in --tag: Scone and Gramine are legacy, and no worker serves \
             them any \
         more",
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tdx",
        [
            VALUE,
            "INCOMPLETE_TEE_TAG",
            "'tdx' tag must be used with 'tee' tag",
            "use the tag tee,tdx in --tag",
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tee,scone,tdx",
        [
            VALUE,
            "INCOMPLETE_TEE_TAG",
            "only one of scone, gramine and tdx makes sense",
            "use the tag tee,tdx in --tag",
        ],
    ),
    row(
        Who::Seller,
        "app publish {app} --tag tee",
        [
            VALUE,
            "INCOMPLETE_TEE_TAG",
            "'tee' tag must be used with a tee framework ('tdx')",
            "use the tag tee,tdx in --tag",
        ],
    ),
    row(
        Who::Seller,
        "app run {app} --tag tee",
        [
            VALUE,
            "INCOMPLETE_TEE_TAG",
            "'tee' tag must be used with a tee framework ('tdx')",
            "use the tag tee,tdx for the run or the app order",
        ],
    ),
];

/// Apps that no worker can run, and that nobody should pay for.
const APPS: [Row; 3] = [
    row(
        Who::Buyer,
        "app run {unpinned} --tag tee,tdx",
        [
            ERROR,
            "IMAGE_NOT_PINNED",
            "app {unpinned} has no checksum: no worker can tell whether its image is the right one",
            REDEPLOY,
        ],
    ),
    row(
        Who::Buyer,
        "app run {legacy} --tag tee,tdx",
        [
            ERROR,
            "LEGACY_ENCLAVE_APP",
            "app {legacy} is made for an enclave framework that is no longer served",
            REDEPLOY,
        ],
    ),
    row(
        Who::Seller,
        "app publish {legacy} --tag tee,tdx",
        [
            ERROR,
            "LEGACY_ENCLAVE_APP",
            "app {legacy} is made for an enclave framework that is no longer served",
            REDEPLOY,
        ],
    ),
];

/// What is not in the SMS; in the hints the chain's name is that of the command.
const SECRETS: [Row; 5] = [
    row(
        Who::Buyer,
        "app run {app} --tag tee,tdx --secret 1=missing",
        [
            ERROR,
            "REQUESTER_SECRET_MISSING",
            "not in the SMS: the secret `missing` of {buyer}",
            "type `iexec requester push-secret missing --chain local`",
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tee,tdx --encrypt-result",
        [
            ERROR,
            "RESULT_KEY_MISSING",
            "not in the SMS: the result encryption key of {buyer}",
            "the beneficiary types `iexec result push-encryption-key --chain local`",
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tee,tdx --encrypt-result --beneficiary {seller}",
        [
            ERROR,
            "RESULT_KEY_MISSING",
            "not in the SMS: the result encryption key of {seller}",
            "the beneficiary types `iexec result push-encryption-key --chain local`",
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tee,tdx --storage-provider dropbox",
        [
            ERROR,
            "STORAGE_TOKEN_MISSING",
            "not in the SMS: the dropbox token of {buyer}",
            "type `iexec storage init dropbox --chain local`",
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tee,tdx --dataset {keyless}",
        [
            ERROR,
            "DATASET_KEY_MISSING",
            "not in the SMS: the key of dataset {keyless}",
            "its owner types `iexec dataset push-secret {keyless} --chain local`",
        ],
    ),
];

const ENCRYPT: &str = "its owner runs `iexec dataset encrypt`, uploads the .enc file and \
     deploys it \
                       as a new dataset with that file's checksum";

/// Datasets that are not for this run, or not what they should be.
const DATASETS: [Row; 7] = [
    row(
        Who::Buyer,
        "app run {app} --tag tee,tdx --dataset {others}",
        [
            ERROR,
            "DATASET_NOT_GRANTED",
            "no dataset order available: nothing published for dataset {others} fits app {app}\n  \
         0x<hash>… 0.0 RLC: restricted to app {legacy}",
            "ask its owner {seller} to publish a dataset order for this app",
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tee,tdx --dataset {unsold}",
        [
            ERROR,
            "DATASET_NOT_GRANTED",
            "no dataset order available: nothing published for dataset {unsold} fits app {app}",
            "ask its owner {seller} to publish a dataset order for this app",
        ],
    ),
    row(
        Who::Seller,
        "dataset publish {keyless} --tag tee,tdx",
        [
            ERROR,
            "DATASET_KEY_MISSING",
            "not in the SMS: the key of dataset {keyless}",
            "its owner types `iexec dataset push-secret {keyless} --chain local`",
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tee,tdx --dataset {plain}",
        [
            ERROR,
            "DATASET_NOT_ENCRYPTED",
            "the file of dataset {plain} is not encrypted: its 34 bytes are no multiple of 16, \
             those \
         of an encrypted one are",
            ENCRYPT,
        ],
    ),
    row(
        Who::Seller,
        "dataset publish {plain} --tag tee,tdx",
        [
            ERROR,
            "DATASET_NOT_ENCRYPTED",
            "the file of dataset {plain} is not encrypted: its 34 bytes are no multiple of 16, \
             those \
         of an encrypted one are",
            ENCRYPT,
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --tag tee,tdx --dataset {replaced}",
        [
            ERROR,
            "DATASET_CHECKSUM_DIFFERS",
            "the file of dataset {replaced} has the checksum {sum}, on chain it is {othersum}",
            "its owner puts the right file there, or deploys the new one as a new dataset",
        ],
    ),
    row(
        Who::Buyer,
        "app run {app} --dataset {plain}",
        [
            ERROR,
            "DATASET_NEEDS_TEE",
            "dataset {plain} is encrypted, and a run without tag tee,tdx gets no key for it",
            "add --tag tee,tdx, for an app and a workerpool that have it",
        ],
    ),
];

/// Only where there is a registry to ask.
const IN_REGISTRY: [Row; 2] = [
    row(
        Who::Buyer,
        "app run {moved} --tag tee,tdx",
        [
            ERROR,
            "IMAGE_DIGEST_DIFFERS",
            "the checksum {othersum} of app {moved} pins no image: `{image}` has the digest \
             {digest}",
            "its owner pushes the image and deploys the app again with its digest",
        ],
    ),
    row(
        Who::Buyer,
        "app run {nowhere} --tag tee,tdx",
        [
            ERROR,
            "IMAGE_DIGEST_DIFFERS",
            "the checksum {othersum} of app {nowhere} pins no image: `{noimage}` is not in \
             its registry",
            "its owner pushes the image and deploys the app again with its digest",
        ],
    ),
];

/// Plays the table on a network of its own.
pub(crate) async fn tell(bench: Bench) -> Result<()> {
    let net = Net::up(&bench.data_dir(), bench.choice).await?;
    let mut scene = Scene::set(&bench, net).await?;
    let before = scene.standing().await?;
    let rows = TAGS.iter().chain(&APPS).chain(&SECRETS).chain(&DATASETS);
    for row in rows {
        scene.refused(row).await.with_context(|| row.line)?;
    }
    match Registry::start() {
        Ok(registry) => scene.in_registry(&registry).await?,
        Err(reason) => testing::skip(bench.test, &reason),
    }
    let same = scene.standing().await? == before;
    ensure!(same, "something was sent, or paid");
    let said = scene
        .buyer
        .fails(&scene.fill("app run {app} --encrypt-result"))
        .await?;
    said.expect("✖ Command \"iexec app run\" failed with ValidationError: the result is to be")?;
    said.expect("  hint: add --tag tee,tdx")?;
    said.expect("  code: ENCRYPTION_WITHOUT_TEE")?;
    scene.net.down().await
}

struct Scene {
    net: Net,
    actor: Actor,
    buyer: Person,
    seller: Person,
    values: Vec<(&'static str, String)>,
    _files: FileServer,
}

impl Scene {
    /// Deploys and publishes everything that is wrong; then both lose their passwords.
    async fn set(bench: &Bench, net: Net) -> Result<Self> {
        let hub = Hub::connect(&net.info.ws_url, net.info.hub).await?;
        let address = |role| local_wallet(role, 0).address().to_checksum(None);
        let mut scene = Self {
            actor: Actor::new(hub, local_wallet(Role::Developer, 0)),
            buyer: locked(bench, &net, Role::Requester).await?,
            seller: locked(bench, &net, Role::Developer).await?,
            values: vec![
                ("buyer", address(Role::Requester)),
                ("seller", address(Role::Developer)),
            ],
            _files: FileServer::start(FILES).await?,
            net,
        };
        scene.apps().await?;
        scene.datasets().await?;
        scene.offers(bench).await?;
        Ok(scene)
    }

    async fn deploy(&mut self, name: &'static str, asset: &NewAsset) -> Result<Address> {
        let address = self.actor.create(asset).await?.0;
        self.values.push((name, address.to_checksum(None)));
        Ok(address)
    }

    async fn app(
        &mut self,
        name: &'static str,
        image: &str,
        [sum, enclave]: [&str; 2],
    ) -> Result<()> {
        let app = NewAsset::App {
            owner: self.actor.address(),
            name: name.to_owned(),
            kind: "DOCKER".to_owned(),
            multiaddr: multiaddr::encode(image).into(),
            checksum: sum.parse()?,
            mrenclave: enclave.parse::<Bytes>()?,
        };
        self.deploy(name, &app).await.map(drop)
    }

    async fn apps(&mut self) -> Result<()> {
        let (sum, zero) = (B256::repeat_byte(1).to_string(), B256::ZERO.to_string());
        self.app("app", IMAGE, [&sum, "0x"]).await?;
        self.app("unpinned", IMAGE, [&zero, "0x"]).await?;
        self.app("legacy", IMAGE, [&sum, "0x1234"]).await
    }

    async fn datasets(&mut self) -> Result<()> {
        let served = self._files.url(FILES[0].0);
        let sum = cipher::checksum(&mut PLAIN.as_bytes())?;
        let other = B256::repeat_byte(7);
        self.values.push(("sum", sum.to_string()));
        self.values.push(("othersum", other.to_string()));
        let gone = "http://127.0.0.1:1/gone.enc";
        for (name, url, checksum) in [
            ("keyless", gone, other),
            ("others", gone, other),
            ("unsold", gone, other),
            ("plain", served.as_str(), sum),
            ("replaced", served.as_str(), other),
        ] {
            let dataset = NewAsset::Dataset {
                owner: self.actor.address(),
                name: name.to_owned(),
                multiaddr: multiaddr::encode(url).into(),
                checksum,
            };
            self.deploy(name, &dataset).await?;
        }
        Ok(())
    }

    async fn offers(&self, bench: &Bench) -> Result<()> {
        let owner = Person::new(&bench.data_dir())?;
        owner.import(&self.net.key(Role::Developer)?).await?;
        fs::write(owner.project().join("k"), KEY)?;
        for line in [
            "app publish {app}",
            "app publish {app} --tag tee,tdx",
            "app publish {legacy} --tag tee,tdx --skip-preflight-check",
            "app publish {unpinned} --tag tee,tdx --skip-preflight-check",
            "dataset push-secret {plain} --secret-path k",
            "dataset push-secret {replaced} --secret-path k",
            "dataset publish {keyless}",
            "dataset publish {plain}",
            "dataset publish {replaced}",
            "dataset publish {others} --app-restrict {legacy}",
        ] {
            owner
                .raw(&format!("{} --chain local", self.fill(line)))
                .await?;
        }
        Ok(())
    }

    /// An image whose tag means something else than the chain says, and one that is not there.
    async fn in_registry(&mut self, registry: &Registry) -> Result<()> {
        let image = testing::busybox().map_err(|reason| anyhow!(reason))?;
        let pushed = registry.push(&image, "moved/app:1").await;
        let (name, digest) = pushed.map_err(|reason| anyhow!(reason))?;
        let nowhere = name.to_string().replace("moved/app", "no/where");
        let sum = B256::repeat_byte(7).to_string();
        self.app("moved", &name.to_string(), [&sum, "0x"]).await?;
        self.app("nowhere", &nowhere, [&sum, "0x"]).await?;
        self.values.push(("image", name.to_string()));
        self.values.push(("noimage", nowhere));
        self.values
            .push(("digest", B256::from(digest.0).to_string()));
        let owner = Person::new(&self.net.data_dir)?;
        owner.import(&self.net.key(Role::Developer)?).await?;
        for app in ["{moved}", "{nowhere}"] {
            let publish = format!("app publish {app} --tag tee,tdx --chain local");
            owner.raw(&self.fill(&publish)).await?;
        }
        for row in &IN_REGISTRY {
            self.refused(row).await.with_context(|| row.line)?;
        }
        Ok(())
    }

    /// Puts values in the place of `{names}`.
    fn fill(&self, text: &str) -> String {
        let fill = |text: String, (name, value): &(&str, String)| {
            text.replace(&format!("{{{name}}}"), value)
        };
        self.values.iter().fold(text.to_owned(), fill)
    }

    async fn refused(&self, row: &Row) -> Result<()> {
        let who = match row.who {
            Who::Buyer => &self.buyer,
            Who::Seller => &self.seller,
        };
        let line = format!("{} --force --chain local", self.fill(row.line));
        let mut said = who.raw_fails(&line).await?;
        let error = said["error"].take();
        let told = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        let found = [told("name"), told("code"), without_hashes(&told("message"))];
        let expected = [row.name, row.code, row.message].map(|text| self.fill(text));
        ensure!(found == expected, "{found:#?} instead of {expected:#?}");
        let (hint, wanted) = (told("hint"), self.fill(row.hint));
        let rest = hint.strip_prefix(&wanted);
        let is_right = rest.is_some_and(|rest| rest.is_empty() || rest == SKIP);
        ensure!(is_right, "hint `{hint}` instead of `{wanted}`");
        Ok(())
    }

    /// What the buyer has sent and has.
    async fn standing(&self) -> Result<[Value; 2]> {
        let buyer = local_wallet(Role::Requester, 0).address();
        let sent = self
            .net
            .rpc("eth_getTransactionCount", json!([buyer, "latest"]))
            .await?;
        let show = format!("account show {buyer} --chain local");
        Ok([sent, self.buyer.raw(&show).await?])
    }
}

/// Somebody whose wallet's password is not the one that everybody types here.
async fn locked(bench: &Bench, net: &Net, role: Role) -> Result<Person> {
    let person = Person::new(&bench.data_dir())?;
    let import = format!("wallet import {} --password another", net.key(role)?);
    person.raw(&import).await?;
    Ok(person)
}

/// The hashes of orders, which are others each time.
fn without_hashes(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let words = line.trim_start();
        let is_order = words.starts_with("0x") && words.chars().nth(HASH_CHARS) == Some('…');
        lines.push(match is_order {
            true => {
                let rest: String = words.chars().skip(HASH_CHARS).collect();
                format!("  0x<hash>{rest}")
            }
            false => line.to_owned(),
        });
    }
    lines.join("\n")
}
