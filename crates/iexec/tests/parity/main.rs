//! Our command line beside the official one, invocation by invocation: what `--raw` prints, the
//! exit code, and the files that are written.
//!
//! The official program needs seconds for each command, so what it said is kept, masked, in
//! `recorded/`. `IEXEC_PARITY=record cargo test -p iexec --test parity` asks it again and keeps the
//! answers; `IEXEC_PARITY=live` asks it again and compares with what is kept and with ours.

mod deviation;
mod mask;
mod outcome;
mod play;
mod row;
mod stories;
mod world;

#[tokio::test(flavor = "multi_thread")]
async fn start() {
    play::story(stories::start::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chains() {
    play::story(stories::chains::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet() {
    play::story(stories::wallet::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn account() {
    play::story(stories::account::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn app() {
    play::story(stories::app::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dataset() {
    play::story(stories::dataset::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workerpool() {
    play::story(stories::workerpool::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets() {
    play::story(stories::secrets::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn category() {
    play::story(stories::category::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders() {
    play::story(stories::orders::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orderbook() {
    play::story(stories::orderbook::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deals() {
    play::story(stories::deals::story()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy() {
    play::story(stories::legacy::story()).await;
}
