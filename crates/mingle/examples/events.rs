//! Joins a cluster and prints what happens in it, until ctrl-c.
//!
//! `cargo run -p mingle --example events -- [BIND [SEED...]]`, for instance in two terminals:
//!
//! ```text
//! cargo run -p mingle --example events -- 127.0.0.1:7946
//! cargo run -p mingle --example events -- 127.0.0.1:7947 127.0.0.1:7946
//! ```

use mingle::{Cluster, Update};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("mingle=warn").init();
    let mut arguments = std::env::args().skip(1);
    let bind = arguments.next().unwrap_or_else(|| "127.0.0.1:7946".to_owned());
    let cluster = Cluster::builder_unnamed().bind(bind).join(arguments).start().await?;
    println!("{:?} listens on {}; ctrl-c leaves", cluster.name(), cluster.local_addr());

    let mut watch = cluster.watch();
    loop {
        tokio::select! {
            update = watch.next() => match update {
                Some(update) => print(&update),
                None => break,
            },
            interrupt = tokio::signal::ctrl_c() => {
                interrupt?;
                break;
            }
        }
    }
    if let Err(error) = cluster.leave().await {
        println!("left without everybody knowing: {error}");
    }
    cluster.stop().await;
    Ok(())
}

/// Names come from peers, so they are shown escaped.
fn print(update: &Update) {
    match update {
        Update::Snapshot(snapshot) => {
            println!("version {}: {} members", snapshot.version, snapshot.members.len());
            for member in &snapshot.members {
                println!("  {:?} at {} is {}", member.name, member.address, member.state);
            }
        }
        Update::Diff(diff) => println!(
            "version {}: {:?} {}: {:?}",
            diff.version,
            diff.member.name,
            diff.change.as_str(),
            diff.evidence.cause
        ),
        Update::Gap { missed } => println!("{missed} changes went by; a snapshot follows"),
    }
}
