//! Opening an encrypted result: what was decrypted is compared with the chain, because the
//! encryption itself would not tell that somebody has changed it.

use std::{
    fs,
    io::{Cursor, Read as _, Write as _},
};

use anyhow::{Context as _, Result, ensure};
use engine::testing;
use iexec_tests::{app::Image, bench::Bench};
use network::Role;
use sdk::dataset::{Key, cipher};
use serde_json::{Value, json};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{net::Net, person::Person};

const SCRIPT: &str =
    "echo salaries: 3 > $IEXEC_OUT/result.txt; declare_result $IEXEC_OUT/result.txt";
/// The key inside `aes-key.rsa` of the vector: payloads are encrypted as datasets are.
const VECTOR_KEY: [u8; 32] = {
    let mut key = [0; 32];
    let mut index = 0;
    while index < 32 {
        key[index] = index as u8;
        index += 1;
    }
    key
};

/// A task's true result, a changed one, another task's, and a damaged one.
pub(crate) async fn tell(bench: Bench) -> Result<()> {
    let net = Net::up(&bench.data_dir(), bench.choice).await?;
    let person = Person::new(&bench.data_dir())?;
    person.raw("init --skip-wallet").await?;
    person.import(&net.key(Role::Developer)?).await?;
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/vectors");
    let file = |name: &str| person.project().join(name);
    fs::create_dir_all(file(".secrets/beneficiary"))?;
    let key = format!("{vectors}/TEST_ONLY_rsa2048.key.pem");
    fs::copy(key, file(".secrets/beneficiary/mine"))?;
    let wrapped = fs::read(format!("{vectors}/own_encryptor.encrypted.zip"))?;
    let wrapped = entry(&wrapped, "aes-key.rsa")?;
    let task = run(&bench, &person).await?;
    let truth = fs::read(file("plain.zip"))?;

    let decrypt = |task: &str| {
        format!("result decrypt enc.zip --beneficiary-key-file mine --force {task} --chain local")
    };
    let with_task = decrypt(&format!("--task {task}"));
    fs::write(file("enc.zip"), encrypt(&wrapped, &truth)?)?;
    let raw = person.raw(&with_task).await?;
    ensure!(raw["isVerified"] == true, "{raw}");
    ensure!(fs::read(file("results.zip"))? == truth, "another archive");
    let unproven = person.iexec(&decrypt("")).await?;
    unproven.expect("nothing proves that it is the task's")?;

    fs::remove_file(file("results.zip"))?;
    fs::write(file("enc.zip"), encrypt(&wrapped, &changed(&truth)?)?)?;
    refused(&person, &with_task, "does not verify").await?;
    let mut flipped = cipher_text(&truth)?;
    *flipped.last_mut().context("empty")? ^= 1;
    fs::write(file("enc.zip"), archive(&wrapped, &flipped)?)?;
    refused(&person, &with_task, "damaged").await?;
    refused(&person, &decrypt(""), "damaged").await?;
    ensure!(!file("results.zip").exists(), "written all the same");
    net.down().await
}

async fn refused(person: &Person, line: &str, reason: &str) -> Result<()> {
    let raw = person.raw_fails(line).await?;
    let told = raw["error"]["message"].as_str().unwrap_or_default();
    ensure!(told.contains(reason), "nothing of `{reason}` in {raw}");
    Ok(())
}

/// Runs a standard task, whose result is the content to encrypt.
async fn run(bench: &Bench, person: &Person) -> Result<String> {
    let mut config = engine::Config::new(bench.choice, bench.data_dir().join("engine"));
    config.helper = testing::helper();
    let engine = engine::detect(&config).await?;
    let image = Image::of_script(&engine, bench.test, SCRIPT).await?;
    person.raw("app init").await?;
    person.edit_app(&[("multiaddr", json!(image.name)), ("checksum", Value::Null)])?;
    person.raw("app deploy --chain local").await?;
    let ran = person.raw("app run --watch --force --chain local").await?;
    let task = ran["tasks"][0]["taskid"]
        .as_str()
        .context("no task")?
        .to_owned();
    person
        .raw(&format!("task show {task} --download plain --chain local"))
        .await?;
    Ok(task)
}

fn entry(archive: &[u8], name: &str) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    ZipArchive::new(Cursor::new(archive))?
        .by_name(name)?
        .read_to_end(&mut content)?;
    Ok(content)
}

fn zip(files: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default())?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Whoever has the beneficiary's public key can make such an archive.
fn changed(truth: &[u8]) -> Result<Vec<u8>> {
    let computed = entry(truth, "computed.json")?;
    zip(&[
        ("computed.json", &computed),
        ("result.txt", b"salaries: 9\n"),
    ])
}

fn cipher_text(content: &[u8]) -> Result<Vec<u8>> {
    let (key, mut text) = (Key::from_bytes(VECTOR_KEY), Vec::new());
    cipher::encrypt(
        &key,
        cipher::random_iv(),
        &mut &content[..],
        &mut text,
        |_| {},
    )?;
    Ok(text)
}

fn archive(wrapped: &[u8], payload: &[u8]) -> Result<Vec<u8>> {
    zip(&[("aes-key.rsa", wrapped), ("iexec_out.zip.aes", payload)])
}

fn encrypt(wrapped: &[u8], content: &[u8]) -> Result<Vec<u8>> {
    archive(wrapped, &cipher_text(content)?)
}
