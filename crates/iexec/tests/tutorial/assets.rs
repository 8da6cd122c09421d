//! The life of an app, a dataset and a workerpool: deployed, shown, given a secret, sold, and
//! handed to another owner.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use iexec_tests::bench::Bench;
use network::Role;
use serde_json::{Value, json};

use crate::{keys, net::Net, person::Person};

/// Nobody answers there, so that the image is taken as declared, without a look-up.
const IMAGE: &str = "127.0.0.1:1/hello:1.0.0";
/// Every refusal of what is somebody else's speaks of the owner.
const OWNED: &str = "owner";

/// Plays all of it on a network of its own.
pub(crate) async fn tell(bench: Bench) -> Result<()> {
    let net = Net::up(&bench.data_dir(), bench.choice).await?;
    let owner = Person::new(&bench.data_dir())?;
    owner.import(&net.key(Role::Developer)?).await?;
    owner.raw("init --skip-wallet").await?;
    let heir = Person::new(&bench.data_dir())?;
    heir.import(&net.key(Role::Requester)?).await?;
    let both = Both { owner, heir };
    both.app().await?;
    both.dataset().await?;
    both.workerpool(&net).await?;
    net.down().await
}

/// Who has the asset, and who gets it.
struct Both {
    owner: Person,
    heir: Person,
}

impl Both {
    async fn app(&self) -> Result<()> {
        self.owner.raw("app init").await?;
        self.edit("app", "multiaddr", json!(IMAGE))?;
        let shown = "appChecksum appMREnclave appMultiaddr appName appType owner registry";
        let app = self.deploy("app", shown).await?;
        let push = format!("app push-secret {app} --secret-value sesame --chain local");
        self.secret("app", &app, &push).await?;
        self.sell("app", &app, "--tag tee,tdx --workerpool-restrict")
            .await?;
        self.transfer("app", &app).await?;
        self.edit("app", "mrenclave", json!("0x1234"))?;
        self.owner.raw("app deploy --chain local").await?;
        let publish = "app publish --chain local";
        let refused = self.owner.raw_fails(publish).await?;
        expect(&refused, "enclave")?;
        let publish = format!("{publish} --skip-preflight-check");
        self.owner.raw(&publish).await.map(drop)
    }

    async fn dataset(&self) -> Result<()> {
        self.owner.raw("dataset init --encrypted").await?;
        let original = self.owner.project().join("datasets/original/data.csv");
        fs::write(original, "a,b\n1,2\n")?;
        let encrypted = self.owner.raw("dataset encrypt").await?;
        let checksum = encrypted["encryptedFiles"][0]["checksum"].clone();
        self.edit("dataset", "checksum", checksum.clone())?;
        let shown = "datasetChecksum datasetMultiaddr datasetName owner registry";
        let dataset = self.deploy("dataset", shown).await?;
        let raw = self.owner.raw("dataset show --chain local").await?;
        ensure!(raw["dataset"]["datasetChecksum"] == checksum, "{raw}");
        let multiaddr = "/p2p/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ";
        ensure!(raw["dataset"]["datasetMultiaddr"] == multiaddr, "{raw}");
        let early = "dataset publish --tag tee,tdx --chain local";
        let early = self.owner.raw_fails(early).await?;
        let hint = early["error"]["hint"].as_str().context("no hint")?;
        let advice = format!("iexec dataset push-secret {dataset}");
        ensure!(hint.contains(&advice), "{early}");
        let push = format!("dataset push-secret {dataset} --chain local");
        let key = "--secret-path .secrets/datasets/data.csv.key";
        fs::create_dir_all(self.heir.project().join(".secrets/datasets"))?;
        let file = ".secrets/datasets/data.csv.key";
        let text = fs::read(self.owner.project().join(file))?;
        fs::write(self.heir.project().join(file), text)?;
        self.secret("dataset", &dataset, &format!("{push} {key}"))
            .await?;
        self.sell("dataset", &dataset, "--tag tee,tdx --app-restrict")
            .await?;
        self.transfer("dataset", &dataset).await
    }

    async fn workerpool(&self, net: &Net) -> Result<()> {
        self.owner.raw("workerpool init").await?;
        let shown = "schedulerRewardRatioPolicy workerStakeRatioPolicy workerpoolDescription \
            owner registry";
        let pool = self.deploy("workerpool", shown).await?;
        let known = net.info.workerpool.to_checksum(None);
        let show = format!("workerpool show {known} --chain local");
        let raw = self.owner.raw(&show).await?;
        keys::check(&raw, "ok address workerpool apiUrl")?;
        ensure!(raw["apiUrl"] == net.info.pool, "{raw}");
        let nowhere = "workerpool publish --category 99 --chain local";
        let nowhere = self.owner.raw_fails(nowhere).await?;
        expect(&nowhere, "No category found for id 99")?;
        let options = "--category 1 --trust 2 --dataset-restrict";
        self.sell("workerpool", &pool, options).await?;
        self.transfer("workerpool", &pool).await
    }

    /// Changes a field of `iexec.json`.
    fn edit(&self, section: &str, key: &str, value: Value) -> Result<()> {
        let path = self.owner.project().join("iexec.json");
        let mut project: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        project[section][key] = value;
        Ok(fs::write(path, project.to_string())?)
    }

    /// Deploys what `iexec.json` says and looks at it in every way; `shown` are the keys of its
    /// object in order.
    async fn deploy(&self, kind: &str, shown: &str) -> Result<String> {
        let deploy = format!("{kind} deploy --chain local");
        let raw = self.owner.raw(&deploy).await?;
        keys::check(&raw, "ok address txHash")?;
        let address = raw["address"].as_str().context("no address")?.to_owned();
        let again = self.owner.raw_fails(&deploy).await?;
        expect(&again, &format!("already deployed at address {address}"))?;
        let raw = self
            .owner
            .raw(&format!("{kind} show --chain local"))
            .await?;
        keys::check(&raw, &format!("ok address {kind}"))?;
        ensure!(raw["address"] == address.as_str(), "{raw}");
        let object = raw[kind].as_object().context("no object")?;
        let found = object.keys().map(String::as_str).collect::<Vec<_>>();
        ensure!(
            found == shown.split_whitespace().collect::<Vec<_>>(),
            "{raw}"
        );
        let owner = object["owner"].as_str().context("no owner")?;
        let first = format!("{kind} show 0 --user {owner} --chain local");
        ensure!(self.heir.raw(&first).await? == raw, "{first}");
        let second = format!("{kind} show 1 --chain local");
        expect(&self.owner.raw_fails(&second).await?, "not deployed")?;
        self.count(&self.owner, kind, "1").await?;
        Ok(address)
    }

    async fn count(&self, who: &Person, kind: &str, expected: &str) -> Result<()> {
        let count = who.raw(&format!("{kind} count --chain local")).await?;
        ensure!(count == json!({ "ok": true, "count": expected }), "{count}");
        Ok(())
    }

    /// Only the owner gives a secret, once; `push` is the command.
    async fn secret(&self, kind: &str, address: &str, push: &str) -> Result<()> {
        let check = format!("{kind} check-secret {address} --chain local");
        let is_set = |set: bool| json!({ "ok": true, "isSecretSet": set });
        ensure!(self.heir.raw(&check).await? == is_set(false), "{check}");
        expect(&self.heir.raw_fails(push).await?, OWNED)?;
        ensure!(self.owner.raw(push).await? == json!({ "ok": true }));
        ensure!(self.heir.raw(&check).await? == is_set(true), "{check}");
        let again = self.owner.raw_fails(push).await?;
        let message = format!("Secret already exists for {address} and can't be updated");
        ensure!(again["error"]["message"] == message, "{again}");
        Ok(())
    }

    /// Two orders, the second with `options` and an address; both are taken back.
    async fn sell(&self, kind: &str, address: &str, options: &str) -> Result<()> {
        let publish = format!("{kind} publish {options} {address}");
        // The address comes after a price, where the official client loses it.
        let free = format!("{publish} --price 2 RLC {address} --chain local");
        expect(&self.heir.raw_fails(&free).await?, OWNED)?;
        let first = self.owner.raw(&free).await?;
        keys::check(&first, "ok orderHash")?;
        let said = self
            .owner
            .iexec(&format!("{publish} --chain local"))
            .await?;
        said.expect(&format!(
            "Successfully published {kind}order with orderHash 0x"
        ))?;
        let last = format!("{kind} unpublish --chain local");
        let raw = self.owner.raw(&last).await?;
        keys::check(&raw, "ok unpublished")?;
        said.expect(raw["unpublished"].as_str().context("no hash")?)?;
        let all = format!("{kind} unpublish {address} --all --force --chain local");
        let raw = self.owner.raw(&all).await?;
        ensure!(raw["unpublished"] == json!([first["orderHash"]]), "{raw}");
        for nothing in [last, all] {
            let raw = self.owner.raw_fails(&nothing).await?;
            expect(&raw, &format!("no open {kind}order published"))?;
        }
        Ok(())
    }

    async fn transfer(&self, kind: &str, address: &str) -> Result<()> {
        let wallet = self.heir.raw("wallet show --chain local").await?;
        let to = wallet["wallet"]["address"].as_str().context("no wallet")?;
        let transfer = format!("{kind} transfer {address} --to {to} --chain local");
        let unanswered = self.owner.raw_fails(&transfer).await?;
        ensure!(unanswered["error"]["hint"] == "use --force", "{unanswered}");
        let transfer = format!("{transfer} --force");
        expect(&self.heir.raw_fails(&transfer).await?, OWNED)?;
        let raw = self.owner.raw(&transfer).await?;
        keys::check(&raw, "ok address to txHash")?;
        ensure!(raw["address"] == address && raw["to"] == to, "{raw}");
        self.count(&self.owner, kind, "0").await?;
        self.count(&self.heir, kind, "1").await?;
        expect(&self.owner.raw_fails(&transfer).await?, OWNED)
    }
}

fn expect(failed: &Value, text: &str) -> Result<()> {
    let message = failed["error"]["message"].as_str().unwrap_or_default();
    ensure!(message.contains(text), "nothing about `{text}` in {failed}");
    Ok(())
}
