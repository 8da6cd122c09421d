//! temp
#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_env_filter(std::env::var("RUST_LOG").unwrap_or("info".into())).init();
    let dir = std::env::args().nth(1).unwrap();
    let t = std::time::Instant::now();
    let n = network::Network::builder(dir).port(0).start().await.unwrap();
    eprintln!("ready in {:?}", t.elapsed());
    println!("{}", serde_json::to_string_pretty(n.info()).unwrap());
    tokio::signal::ctrl_c().await.unwrap();
    n.stop().await;
}
