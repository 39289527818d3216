//! Two nodes that encrypt, a third with the wrong key, and a change of the key while they run.
//!
//! `cargo run -p mingle --example encrypted`

use mingle::{Cluster, Config, Key, Keyring};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (old, new) = (fresh_key()?, fresh_key()?);
    let start = |name: &str, key: &Key| {
        Cluster::builder(name)
            .bind("127.0.0.1:0")
            .config(Config::local())
            .label("example")
            .keyring(Keyring::new(vec![key.clone()]))
            .start()
    };
    let first = start("first", &old).await?;
    let second = start("second", &old).await?;
    let stranger = start("stranger", &new).await?;

    println!("second: {}", second.join([first.local_addr()]).await);
    println!("stranger: {}", stranger.join([first.local_addr()]).await);

    // Everybody must accept the new key before anybody uses it.
    for node in [&first, &second] {
        node.install_key(new.clone())?;
    }
    for node in [&first, &second] {
        node.use_key(&new)?;
    }
    for node in [&first, &second] {
        node.remove_key(&old)?;
    }
    println!("keys of first: {:?}", first.list_keys());
    println!("stranger, again: {}", stranger.join([first.local_addr()]).await);

    for node in [stranger, second, first] {
        node.leave().await?;
        node.stop().await;
    }
    Ok(())
}

fn fresh_key() -> anyhow::Result<Key> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(Key::from_bytes(&bytes)?)
}
