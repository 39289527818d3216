//! Three nodes in one program: they meet, exchange a message, and one of them leaves.
//!
//! `cargo run -p mingle --example basic`

use mingle::{Cluster, Config, Item, State};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let start = |name: &str, role: &str| {
        Cluster::builder(name).bind("127.0.0.1:0").config(Config::local()).tag("role", role).start()
    };
    let web = start("web-1", "web").await?;
    let db = start("db-1", "db").await?;
    let cache = start("cache-1", "cache").await?;

    for node in [&db, &cache] {
        let report = node.join([web.local_addr()]).await;
        println!("{}: {report}", node.name());
    }

    let mut messages = db.messages();
    web.send_reliable("db-1", "hello from web-1").await?;
    if let Some(Item::Item(message)) = messages.next().await {
        println!("db-1 got {} bytes from {}", message.payload.len(), message.from);
    }

    let receipt = cache.leave().await?;
    println!("cache-1 said goodbye, as {} confirmed", receipt.confirmed.join(", "));
    cache.stop().await;

    let mut watch = web.watch();
    while web.member("cache-1").is_none_or(|member| member.state != State::Left) {
        watch.next().await;
    }
    for member in web.members() {
        println!(
            "{:?} at {} is {}, tags {:?}",
            member.name, member.address, member.state, member.tags
        );
    }
    db.stop().await;
    web.stop().await;
    Ok(())
}
