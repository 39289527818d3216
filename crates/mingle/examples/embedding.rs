//! A node as a service has it inside: a key, state over restarts, what happens and why, a goodbye.
//!
//! `cargo run -p mingle --example embedding`

use std::path::Path;

use mingle::{Cluster, Config, Item, Key, Keyring, StartError, State, Update, Watch};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let key = Key::from_bytes(&secret)?;
    let (one, two) = (folder.path().join("web-1"), folder.path().join("web-2"));

    let first = start("web-1", &key, &one).await?;
    let second = start("web-2", &key, &two).await?;
    let following = tokio::spawn(follow(first.watch()));

    let report = second.join([first.local_addr()]).await;
    anyhow::ensure!(report.succeeded(), "nobody could be joined: {report}");

    let mut messages = second.messages();
    second.set_tags([("role", "web"), ("version", "2")]).await?;
    first.send_reliable("web-2", "drain").await?;
    if let Some(Item::Item(message)) = messages.next().await {
        println!("{} bytes from {}", message.payload.len(), message.from);
    }

    let health = first.stats().await.get("health_score");
    println!("the health score of web-1 is {health:?}");
    refused(&key, &one).await;

    let before = second.local().incarnation;
    let receipt = second.leave().await?;
    println!("goodbye, as {} heard", receipt.confirmed.join(", "));
    second.stop().await;

    // It joins nobody by name: it remembers whom it knew.
    let second = start("web-2", &key, &two).await?;
    anyhow::ensure!(second.joined().await, "the node stopped");
    anyhow::ensure!(second.local().incarnation > before, "a restart begins above its former life");

    let mut watch = first.watch();
    while first.member("web-2").is_none_or(|member| member.state != State::Alive) {
        watch.next().await;
    }
    explain(&first, "web-2");

    second.leave().await?;
    second.stop().await;
    first.stop().await;
    following.await?;
    Ok(())
}

async fn start(name: &str, key: &Key, folder: &Path) -> Result<Cluster, StartError> {
    Cluster::builder(name)
        .bind("127.0.0.1:0")
        .config(Config::local())
        .label("example")
        .keyring(Keyring::new(vec![key.clone()]))
        .state(folder)
        .tag("role", "web")
        .start()
        .await
}

/// Ends with the node. Names come from peers, so they are shown escaped.
async fn follow(mut watch: Watch) {
    while let Some(update) = watch.next().await {
        match update {
            Update::Snapshot(snapshot) => println!("{} members are known", snapshot.members.len()),
            Update::Diff(diff) => {
                let (name, change) = (&diff.member.name, diff.change.as_str());
                println!("{name:?} {change}: {}", diff.evidence.cause);
            }
            Update::Gap { missed } => println!("{missed} changes went by; a snapshot follows"),
        }
    }
}

fn explain(cluster: &Cluster, name: &str) {
    let Some(why) = cluster.why(name) else {
        println!("nothing is known of {name:?}");
        return;
    };
    for decision in &why.timeline {
        println!("{name:?}: {}", decision.what);
    }
}

/// Each error says what to change, and each kind can be told from the others.
async fn refused(key: &Key, folder: &Path) {
    match start("web-1", key, folder).await {
        Err(error @ StartError::StateInUse { .. }) => println!("as it should be: {error}"),
        Err(error) => println!("for another reason: {error}"),
        Ok(_) => println!("two nodes have one folder"),
    }
}
